# The scripted agent. What it does is noted in a file outside the repository, so that a test need not believe the
# records of the program under test. A test leaves a script for the next start of a seat in `once.<seat>`.

say() { printf '%s\n' "$*" >> "$FAKE_DIR/effects"; }

# The same where the other machines of a pair can be compared with it: one file, each line added whole.
tell_pair() { [ -z "$PAIR_DIR" ] || printf '%s\n' "$PAIR_MACHINE $*" >> "$PAIR_DIR/effects"; }

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
    [ -z "$PAIR_DIR" ] || leave_name
    echo "$BATON_ACTOR worked"
}

# A file that only this turn can have made.
leave_name() {
    case "$BATON_ACTOR" in
    galph) name="plans/turn-$BATON_TURN.md" ;;
    ralph) name="src/turn-$BATON_TURN.rs" ;;
    esac
    echo "$BATON_TURN" > "$name"
    tell_pair "wrote $BATON_TURN $name"
}

if [ -n "$PAIR_DIR" ]; then
    # Held until this process is dead: whoever finds it held runs beside another agent.
    exec 9>> "$PAIR_DIR/lock"
    flock --nonblock 9 || tell_pair "beside $BATON_TURN $BATON_ACTOR"
    tell_pair "start $BATON_TURN $BATON_ACTOR $BATON_ITERATION"
fi
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
[ -z "$PAIR_DIR" ] || tell_pair "end $BATON_TURN $BATON_ACTOR $BATON_ITERATION"
