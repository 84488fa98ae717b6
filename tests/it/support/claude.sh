#!/bin/sh
# Claude Code as far as its stream goes. How it was started is noted beside it, one line a start; what it does the nth
# time stands in `turn.n` beside it, else it works and ends well.

here=$(dirname "$0")
if [ "$1" = --version ]; then
    if [ -f "$here/version" ]; then cat "$here/version"; else echo '2.1.197 (Claude Code)'; fi
    exit
fi
printf '%s\n' "$*" >> "$here/argv"
cat > "$here/prompt"
number=$(wc -l < "$here/argv")

# The id that it was given.
session() {
    while [ $# -gt 0 ]; do
        case $1 in --session-id | --resume) echo "$2"; return ;; esac
        shift
    done
    echo 00000000-0000-4000-8000-000000000000
}
id=$(session "$@")

says() { printf '%s\n' "$1"; }
init() { says '{"type":"system","subtype":"init","session_id":"'"$id"'","model":"claude-sonnet-4-5"}'; }
speaks() {
    says '{"type":"assistant","message":{"id":"m'"$number"'","role":"assistant","content":[{"type":"text","text":"Working."}],"usage":{"input_tokens":600,"cache_read_input_tokens":400,"output_tokens":200}},"session_id":"'"$id"'"}'
}
work() { echo "$BATON_ACTOR $BATON_ITERATION $number" >> notes.txt; }
# The report of the end: whether it is an error, the provider's status, the text, US dollars.
reports() {
    says '{"type":"result","subtype":"success","is_error":'"$1"',"api_error_status":'"$2"',"result":"'"$3"'","session_id":"'"$id"'","total_cost_usd":'"$4"',"usage":{"input_tokens":600,"cache_read_input_tokens":400,"output_tokens":200},"permission_denials":[]}'
}
rejected_until() {
    says '{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":'"$1"',"rateLimitType":"five_hour"},"session_id":"'"$id"'"}'
    says '{"type":"assistant","error":"rate_limit","message":{"id":"e","model":"<synthetic>","content":[{"type":"text","text":"Limited."}]},"session_id":"'"$id"'"}'
}
waits_for_provider() {
    says '{"type":"system","subtype":"api_retry","attempt":1,"max_retries":6,"retry_delay_ms":'"$1"',"error_status":429,"error":"rate_limit","session_id":"'"$id"'"}'
}

init
if [ -f "$here/turn.$number" ]; then
    . "$here/turn.$number"
else
    work
    speaks
    reports false null Done. 0.25
fi
