# What the tests of Helix share: Helix in a tmux of its own, its keys and its screen. To be sourced.
# Environment: DIR, WORKSPACE, OUT and scenario.sh's variables.
tm() { tmux -L "helix-$$" -f /dev/null "$@"; }
keys() { tm send-keys -t helix "$@"; }
seen() { tm capture-pane -p -t helix; }
screen() { # shows|lacks TEXT: wait for it
  local seen=
  for _ in $(seq 600); do
    seen=$(seen) || { echo "Helix has ended"; exit 1; }
    case $seen in *"$2"*) [ "$1" = lacks ] || return 0 ;; *) [ "$1" = shows ] || return 0 ;; esac
    sleep 0.1
  done
  printf '%s\n' "timeout: screen $1 $2" "$seen"; exit 1
}
typed() { keys ':'; keys -l "$1"; keys Enter; } # a command
# As a user has it, with the tables of editors/helix and `stopleak` on PATH; without gopls. SETTINGS are those of the server.
start() { # FILE [SETTINGS]
  trap 'tm kill-server 2>/dev/null || true' EXIT
  mkdir -p "$OUT/config/helix" "$OUT/bin"
  cp "$KIT/helix/config.toml" "$OUT/config/helix"
  sed -e 's/\["gopls", /[/' -e "s/^# config = .*/${2:+config = $2}/" "$ROOT/editors/helix/languages.toml" >"$OUT/config/helix/languages.toml"
  ln -sf "$STOPLEAK" "$OUT/bin/stopleak"
  export PATH=$OUT/bin:$PATH XDG_CONFIG_HOME=$OUT/config XDG_CACHE_HOME=$OUT/cache TERM=xterm-256color
  tm -u new-session -d -s helix -x 240 -y 80 -c "$WORKSPACE" "$DIR/bin/hx" -v --log "$OUT/helix.log" "$1"
}
leave() { # COMMAND: Helix has to end
  typed "$1"
  for _ in $(seq 50); do tm has-session -t helix 2>/dev/null || return 0; sleep 0.1; done
  echo "Helix did not end"; exit 1
}
