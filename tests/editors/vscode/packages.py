"""usage: packages.py FOLDER: looks at the packages of all targets: the platform that they say they are for, and the program in them."""
import pathlib
import re
import sys
import xml.etree.ElementTree as xml
import zipfile

TARGETS = {
    "linux-x64": "x86_64-unknown-linux-musl",
    "linux-arm64": "aarch64-unknown-linux-musl",
    "linux-armhf": "armv7-unknown-linux-musleabihf",
    "alpine-x64": "x86_64-unknown-linux-musl",
    "alpine-arm64": "aarch64-unknown-linux-musl",
    "darwin-x64": "x86_64-apple-darwin",
    "darwin-arm64": "aarch64-apple-darwin",
    "win32-x64": "x86_64-pc-windows-msvc",
    "win32-arm64": "aarch64-pc-windows-msvc",
    None: None,
}
NEEDED = {"package.json", "readme.md", "changelog.md", "icon.png", "dist/extension.js", "walkthrough/see.md",
          "LICENSE-MIT", "LICENSE-APACHE"}

packages = {}
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    target = re.fullmatch(r"stopleak-(?:([a-z0-9]+-[a-z0-9]+)-)?\d+\.\d+\.\d+\.vsix", path.name)
    assert target, f"unexpected: {path.name}"
    packages[target[1]] = path
assert set(packages) == set(TARGETS), packages

for target, rust in TARGETS.items():
    package = zipfile.ZipFile(packages[target])
    manifest = xml.fromstring(package.read("extension.vsixmanifest"))
    [identity] = [element for element in manifest.iter() if element.tag.endswith("}Identity")]
    assert identity.get("TargetPlatform") == target, (target, identity.attrib)
    names = {name.removeprefix("extension/") for name in package.namelist() if name.startswith("extension/")}
    assert NEEDED <= names, f"{target}: without {NEEDED - names}"
    programs = {name for name in names if name.startswith("server")}
    if target is None:
        assert not programs, programs
        print(f"any: {len(names)} files, no server")
        continue
    program = "server/stopleak.exe" if target.startswith("win32") else "server/stopleak"
    assert programs == {program}, (target, programs)
    entry = package.getinfo(f"extension/{program}")
    assert package.read(entry).decode() == f"the program for {rust}\n", target
    mode = entry.external_attr >> 16
    assert target.startswith("win32") or mode & 0o111, f"{target}: mode {mode:o}"
    print(f"{target}: {len(names)} files, {program}, mode {mode & 0o777:o}")
