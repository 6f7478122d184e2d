"""usage: configurations.py ROOT: looks at the configurations that editors/ has for editors that these tests do not start, and whether
docs/editors.md and the guides say the same as the files and know only settings that there are."""
import json
import pathlib
import re
import sys
import tomllib

root = pathlib.Path(sys.argv[1])
editors = root / "editors"
docs = (root / "docs/editors.md").read_text()
settings = set(json.loads((editors / "vscode/package.json").read_text())["contributes"]["configuration"]["properties"])


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def uncommented(text):
    """JSON with comments on lines of their own."""
    return json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


def known(name):
    assert f"stopleak.{name}" in settings, f"no such setting: {name}"


# Sublime Text: a client of the package LSP, with the keys that it knows.
LSP_CLIENT = {"enabled", "command", "selector", "settings", "initialization_options", "env", "priority_selector"}
sublime = (editors / "sublime/LSP.sublime-settings").read_text()
client = uncommented(sublime)["clients"]["stopleak"]
assert set(client) <= LSP_CLIENT, client
assert client["command"] == ["stopleak", "server"] and client["selector"] == "source.go" and client["enabled"]
# What is commented out can be switched on as it stands.
on = json.loads(re.sub(r"^(\s*)// (\")", r"\1\2", re.sub(r"^// .*\n", "", sublime), flags=re.MULTILINE))
for name in on["clients"]["stopleak"]["settings"]:
    known(name.removeprefix("stopleak."))
[block] = [block for block in blocks(docs, "json") if "source.go" in block]
shown = json.loads("{" + block + "}")["clients"]["stopleak"]
assert shown.items() <= client.items(), "Sublime Text: docs/editors.md says something else"

# Kate.
KATE_SERVER = {"command", "rootIndicationFileNames", "rootIndicationFilePatterns", "highlightingModeRegex", "initializationOptions", "settings", "url"}
kate = json.loads((editors / "kate/settings.json").read_text())["servers"]["go"]
assert set(kate) <= KATE_SERVER, kate
assert kate["command"] == ["stopleak", "server"] and re.fullmatch(kate["highlightingModeRegex"], "Go")
for name in kate["initializationOptions"]:
    known(name)
[block] = [block for block in blocks(docs, "json") if "highlightingModeRegex" in block]
assert json.loads(block)["servers"]["go"].items() <= kate.items(), "Kate: docs/editors.md says something else"

# Helix: started by the tests with its file; the page has to say the same.
helix = tomllib.loads((editors / "helix/languages.toml").read_text())
[block] = [block for block in blocks(docs, "toml") if "[language-server.stopleak]" in block]
assert tomllib.loads(block) == helix, "Helix: docs/editors.md says something else"

# Zed.
extension = tomllib.loads((editors / "zed/extension.toml").read_text())
assert extension["language_servers"]["stopleak"]["languages"] == ["Go"]
for text in [docs, (editors / "zed/README.md").read_text()]:
    for block in blocks(text, "json"):
        if '"language_servers"' in block:
            json.loads(block if block.lstrip().startswith("{") else "{" + block + "}")

# The version is the same everywhere.
version = tomllib.loads((root / "Cargo.toml").read_text())["workspace"]["package"]["version"]
versions = {
    "vscode": json.loads((editors / "vscode/package.json").read_text())["version"],
    "zed": extension["version"],
    "zed/Cargo.toml": tomllib.loads((editors / "zed/Cargo.toml").read_text())["package"]["version"],
    "emacs": re.search(r"^;; Version: (.*)$", (editors / "emacs/stopleak.el").read_text(), re.MULTILINE)[1],
}
assert set(versions.values()) == {version}, versions
print("Sublime Text, Kate, Helix, Zed: the configurations are well-formed, and the guides say the same")
