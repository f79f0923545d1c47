//! Filter scripts.

use facteur_store::{AccountId, Error, Script, ScriptEdit};

use super::{AccountState, Model};

impl Model {
    pub fn edit_script(&mut self, account: AccountId, edit: ScriptEdit) -> Result<(), Error> {
        self.transact(|model| model.state_mut(account)?.edit_script(edit))
    }
}

impl AccountState {
    fn edit_script(&mut self, edit: ScriptEdit) -> Result<(), Error> {
        match edit {
            ScriptEdit::Put { name, .. } if name.is_empty() => return Err(Error::BadName),
            ScriptEdit::Put { name, text } => {
                self.scripts.insert(name, text);
            }
            ScriptEdit::Activate(Some(name)) if !self.scripts.contains_key(&name) => {
                return Err(Error::NoSuchScript);
            }
            ScriptEdit::Activate(name) => self.active_script = name,
            ScriptEdit::Delete { name } => {
                if !self.scripts.contains_key(&name) {
                    return Err(Error::NoSuchScript);
                }
                if self.active_script.as_ref() == Some(&name) {
                    return Err(Error::InUse);
                }
                self.scripts.remove(&name);
            }
            ScriptEdit::Rename { from, to } => {
                let text = self
                    .scripts
                    .get(&from)
                    .cloned()
                    .ok_or(Error::NoSuchScript)?;
                if to.is_empty() {
                    return Err(Error::BadName);
                }
                if self.scripts.contains_key(&to) {
                    return Err(Error::Exists);
                }
                self.scripts.remove(&from);
                if self.active_script.as_ref() == Some(&from) {
                    self.active_script = Some(to.clone());
                }
                self.scripts.insert(to, text);
            }
        }
        Ok(())
    }

    /// By name.
    pub fn script_list(&self) -> Vec<Script> {
        let script = |(name, text): (&String, &String)| Script {
            name: name.clone(),
            size: text.len() as u64,
            active: self.active_script.as_ref() == Some(name),
        };
        self.scripts.iter().map(script).collect()
    }
}
