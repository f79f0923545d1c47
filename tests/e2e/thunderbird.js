// What the test's scripts share; put before each of them, in Thunderbird's main window.
const DEADLINE_MS = 30000;
const about3Pane = () => document.getElementById("tabmail").currentAbout3Pane;
const aboutMessage = () => document.getElementById("tabmail").currentAboutMessage;
const server = () => MailServices.accounts.allServers.find(s => s.type == "imap");
const folder = name => server().rootFolder.descendants.find(f => f.name == name || f.localizedName == name);

/** Waits until `condition` gives something true and gives that. */
async function until(condition, what) {
  const end = Date.now() + DEADLINE_MS;
  for (;;) {
    let value = null;
    try {
      value = await condition();
    } catch (error) {
      value = null;
      if (Date.now() > end) {
        throw error;
      }
    }
    if (value) {
      return value;
    }
    if (Date.now() > end) {
      throw new Error(`gave up waiting for ${what}`);
    }
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

/** A click of the first button, as the mouse makes it. */
function click(element) {
  const view = element.ownerDocument.defaultView;
  for (const type of ["mousedown", "mouseup", "click"]) {
    element.dispatchEvent(new view.MouseEvent(type, {
      bubbles: true, cancelable: true, composed: true, view, button: 0, detail: 1,
    }));
  }
}

/** The row of the list of messages whose subject is this. */
function row(subject) {
  const tree = about3Pane().threadTree;
  const rows = [...tree.querySelectorAll("tr[is^='thread-']")];
  return rows.find(each => each.textContent.includes(subject));
}

/** Opens a mailbox by a click on its name, and waits for `count` messages. */
async function open(name, count) {
  const wanted = await until(() => folder(name), `the mailbox ${name}`);
  const pane = about3Pane();
  const line = await until(() => pane.folderPane.getRowForFolder(wanted), `the row of ${name}`);
  click(line.querySelector(".name"));
  await until(() => pane.gFolder == wanted, `${name} to open`);
  await until(() => pane.gDBView?.rowCount == count, `${count} messages in ${name}`);
}

/** Opens a message by a click on its row and gives the text that is shown. */
async function read(subject) {
  click((await until(() => row(subject), `the row of ${subject}`)).querySelector(".subject, .subjectcol-column"));
  return until(() => {
    const pane = aboutMessage();
    const shown = pane?.document.getElementById("expandedsubjectBox")?.textContent.includes(subject);
    return shown && pane.getMessagePaneBrowser().contentDocument.querySelector(".moz-text-plain, .moz-text-flowed, .moz-text-html").textContent.trim();
  }, `the text of ${subject}`);
}

/** The window of such a type once it is there and `ready`. */
function windowOf(type, ready) {
  return until(() => {
    const found = Services.wm.getMostRecentWindow(type);
    return found?.document.readyState == "complete" && ready(found) && found;
  }, `a window ${type}`);
}

const composer = () => windowOf("msgcompose", found => found.composeEditorReady);
