#!/bin/sh
# Runs every test. The last line is `N tests, M failed`; the exit code is 1 if one failed.
set -u
unset CDPATH
cd "$(dirname "$0")/.." || exit 2
tests=0
failed=0

# expect NAME EXIT-CODE OUTPUT ARGUMENT...: runs the program and compares.
expect() {
    name=$1
    code=$2
    output=$3
    shift 3
    seen=$(sh expenses.sh "$@" 2>&1)
    seen_code=$?
    tests=$((tests + 1))
    if [ "$seen_code" -eq "$code" ] && [ "$seen" = "$output" ]; then
        echo "ok      $name"
    else
        failed=$((failed + 1))
        echo "FAILED  $name"
        echo "        expected exit $code: $output"
        echo "        found exit $seen_code: $seen"
    fi
}

expect 'total: adds up' 0 '1003.75' total tests/march.csv
expect 'total: an empty file is 0.00' 0 '0.00' total /dev/null
expect 'categories: the largest first' 0 '950.00 rent
33.75 food
20.00 travel' categories tests/march.csv
expect 'months: the earliest first' 0 '2026-02 950.00
2026-03 53.75' months tests/march.csv
expect 'check: a bad line is refused, not counted' 2 \
    'expenses: line 2 is not DATE,CATEGORY,AMOUNT: 2026-03-02;food;5.00' total tests/broken.csv

# The end.
echo "$tests tests, $failed failed"
[ "$failed" -eq 0 ]
