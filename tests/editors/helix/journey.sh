# What else a user does in a day, in the sample of SAMPLE: the path, a rule's page, a configuration, the wrapped loop, a suppression,
# another `go` line in go.mod; files are changed in Helix, of which it tells the server, and elsewhere, which a save brings to light.
act() { # TITLE: choose the action whose title has this
  keys Space a; screen shows "$1"
  # The first of the menu is chosen already.
  local row
  row=$(seen | grep -F 'stopleak: ' | grep -nF -m1 -- "$1" | cut -d: -f1)
  for _ in $(seq 2 "$row"); do keys Down; done
  keys Enter
}
open() { typed "o $1"; screen shows " NOR   $1"; } # the status line
saved() { # FILE TEXT: wait for it
  for _ in $(seq 100); do ! grep -qsF -- "$2" "$WORKSPACE/$1" || return 0; sleep 0.1; done
  echo "no $2 in $1"; exit 1
}

# Where Helix opens pages.
mkdir -p "$OUT/bin"
printf '#!/bin/sh\necho "$1" >>%s/opened\n' "$OUT" >"$OUT/bin/xdg-open"
chmod +x "$OUT/bin/xdg-open"
start internal/feed/feed.go

# The path stands in the message, and the rule has a page.
body='`resp.Body` is not closed on every path'
for step in "$body" 'line 28: `resp.Body` is received here' 'line 32: when `resp.StatusCode != http.StatusOK`' \
  'line 33: returns without closing `resp.Body`'; do
  screen shows "$step"
done
keys ']' d; screen shows '1 sel  28:'
keys Space k; screen shows 'Quick fix: move'
keys Escape; screen lacks 'Quick fix: move'
act 'open the page'
for _ in $(seq 100); do [ ! -e "$OUT/opened" ] || break; sleep 0.1; done
grep '/docs/rules/unclosed-http-body\.md$' "$OUT/opened"

# A configuration counts, written in Helix or elsewhere.
ignore='ignore = ["unclosed-http-body"]'
open stopleak.toml
keys -l i; screen shows ' INS '
keys -l "$ignore"; screen shows "$ignore"
keys Escape; screen shows ' NOR ' # Escape and a key at once would be another key
typed w; saved stopleak.toml "$ignore"
open internal/feed/feed.go; screen lacks "$body"
rm "$WORKSPACE/stopleak.toml"
typed w; screen shows "$body"
echo "$ignore" >"$WORKSPACE/stopleak.toml"
typed w; screen lacks "$body"
rm "$WORKSPACE/stopleak.toml"
typed w; screen shows "$body"

# The body of a loop gets a function of its own; a suppression comment.
open internal/report/report.go
loop='is deferred in a loop' file='`f` is not closed on every path'
screen shows "$loop"; screen shows "$file"
keys -l 46gggs; screen shows '1 sel  46:'
act 'wrap the loop body in a function'
screen lacks "$loop"; screen shows 'func() '
keys -l 20gggs; screen shows '1 sel  20:'
act 'on this line'
screen lacks "$file"
typed w; saved internal/report/report.go '//stopleak:ignore unclosed-file'

# What go.mod says of the version of Go: changed in Helix, and elsewhere.
ticker='`ticker` is never stopped' hint='since Go 1.23 an unreferenced ticker is collected'
open internal/watch/watch.go; screen shows "$ticker"; screen lacks "$hint"
open go.mod
keys -l 3ggglr3 # the last character of the line
typed w; saved go.mod 'go 1.23'
open internal/watch/watch.go; screen shows "$hint"
sed -i 's/^go 1.23/go 1.22/' "$WORKSPACE/go.mod"
typed w; screen lacks "$hint"; screen shows "$ticker"

# All that is safe at once, and the whole workspace.
keys -l 25gggs; screen shows '1 sel  25:'
act 'fix all that is safe'
screen lacks "$ticker"; screen shows 'defer timer.Stop()'
typed w; saved internal/watch/watch.go 'defer ticker.Stop()'
typed 'lsp-workspace-command stopleak.checkWorkspace'
for _ in $(seq 60); do # the list is that of the moment
  keys Space D; screen shows severity
  ! seen | grep -F -- "$MESSAGE" || break # in a file that is not open
  keys Escape; screen lacks severity
done
screen shows "$MESSAGE"
keys Escape; screen lacks severity
leave q
