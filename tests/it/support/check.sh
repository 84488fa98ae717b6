# A scripted `verify` command, named by CHECK; a test leaves a script for its next start in `once.<name>`.

say() { printf '%s\n' "$*" >> "$FAKE_DIR/effects"; }

wait_for_release() {
    say "waits $CHECK $BATON_ITERATION"
    read -r _ < "$FAKE_DIR/release"
}

say "check $BATON_TURN $CHECK $BATON_ITERATION - $$ $PPID"
if [ -f "$FAKE_DIR/once.$CHECK" ]; then
    mv "$FAKE_DIR/once.$CHECK" "$FAKE_DIR/taken.$$"
    . "$FAKE_DIR/taken.$$"
fi
