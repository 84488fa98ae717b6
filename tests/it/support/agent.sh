# The scripted agent. What it does is noted in a file outside the repository, so that a test need not believe the
# records of the program under test. A test leaves a script for the next start of a seat in `once.<seat>`.

say() { printf '%s\n' "$*" >> "$FAKE_DIR/effects"; }

# Stays until the test lets it go; a kill ends it at once.
wait_for_release() {
    say "waits $BATON_ACTOR $BATON_ITERATION"
    read -r _ < "$FAKE_DIR/release"
}

# The seat's ordinary work: the same files with the same content, however often it is done.
work() {
    case "$BATON_ACTOR" in
    galph)
        mkdir -p plans docs
        echo "plan of iteration $BATON_ITERATION" > "plans/plan-$BATON_ITERATION.md"
        echo "iteration $BATON_ITERATION" > docs/fix_plan.md
        ;;
    ralph)
        mkdir -p src secrets
        echo "made in iteration $BATON_ITERATION" > "src/made-$BATON_ITERATION.rs"
        echo "$BATON_ITERATION" > src/counter.rs
        echo "never to be committed" > secrets/key.json
        ;;
    esac
    echo "$BATON_ACTOR worked"
}

say "start $BATON_TURN $BATON_ACTOR $BATON_ITERATION $BATON_PROMPT $$ $PPID"
if [ "$BATON_PROMPT" = router.md ]; then
    seat=router
else
    seat=$BATON_ACTOR
fi
if [ -f "$FAKE_DIR/once.$seat" ]; then
    mv "$FAKE_DIR/once.$seat" "$FAKE_DIR/taken.$$"
    . "$FAKE_DIR/taken.$$"
elif [ "$seat" = router ]; then
    echo supervisor.md
else
    work
fi
say "end $BATON_TURN $BATON_ACTOR $BATON_ITERATION $BATON_PROMPT $$ $PPID"
