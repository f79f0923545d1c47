"""Programs that Debian won't install beside others (mail servers exclude one another): unpacked into
a directory of their own, with the libraries that they load, and started with it as their root."""

import os
import pathlib
import re
import shutil
import stat
import subprocess

import support


class Jail:
    """`packages`: names of Debian packages, unpacked by tests/e2e/install. `users`: made in it."""

    def __init__(self, directory, packages, users, programs=("/bin/sh",)):
        self.root = pathlib.Path(directory)
        self.root.mkdir(mode=0o755)
        for package in packages:
            shutil.copytree(support.libraries() / "debian" / package, self.root,
                            symlinks=True, dirs_exist_ok=True)
        for path in ("dev", "etc", "tmp", "proc", "run", "var/run", "var/spool", "var/lib", "var/mail", "bin"):
            (self.root / path).mkdir(parents=True, exist_ok=True)
        (self.root / "tmp").chmod(0o1777)
        os.mknod(self.root / "dev/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.mknod(self.root / "dev/urandom", 0o444 | stat.S_IFCHR, os.makedev(1, 9))
        (self.root / "dev/null").chmod(0o666)
        for program in programs:
            self.take(program)
        for path in sorted(self.root.rglob("*")):
            if path.is_file() and not path.is_symlink() and os.access(path, os.X_OK):
                self.take_libraries(path)
        for library in pathlib.Path("/lib/x86_64-linux-gnu").glob("libnss_files*"):
            self.take(library)
        people = ["root:x:0:0:root:/root:/bin/sh", "nobody:x:65534:65534:nobody:/nonexistent:/bin/sh"]
        groups = ["root:x:0:", "nogroup:x:65534:", "mail:x:8:"]
        for number, user in enumerate(users, 900):
            people.append(f"{user}:x:{number}:{number}:{user}:/nonexistent:/bin/sh")
            groups.append(f"{user}:x:{number}:")
        (self.root / "etc/passwd").write_text("\n".join(people) + "\n")
        (self.root / "etc/group").write_text("\n".join(groups) + "\n")
        (self.root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n")

    def take(self, path):
        source = pathlib.Path(path).resolve()
        target = self.root / str(path).lstrip("/")
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        self.take_libraries(source)

    def take_libraries(self, program):
        listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True, timeout=30)
        for library in re.findall(r"(/\S+) \(0x", listed.stdout):
            target = self.root / library.lstrip("/")
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(pathlib.Path(library).resolve(), target)

    def command(self, *command):
        return ["chroot", str(self.root), *command]
