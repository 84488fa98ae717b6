#!/bin/sh
# Sums up expenses. A file has one a line: DATE,CATEGORY,AMOUNT, such as 2026-03-01,food,12.50
set -eu
LC_ALL=C
export LC_ALL

usage() {
    echo 'usage: sh expenses.sh total|categories|months FILE' >&2
    exit 2
}

# The sum of all amounts.
total() {
    awk -F, '{ sum += $3 } END { printf "%.2f\n", sum }' <"$1"
}

# The command line.
[ $# -eq 2 ] || usage
case $1 in
    total) total "$2" ;;
    *) usage ;;
esac
