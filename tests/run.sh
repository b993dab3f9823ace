#!/usr/bin/env bash
# Runs every test. What a test needs beside Python is installed where apt and root allow it;
# else it is named, and under CI that is a failure: nothing is skipped silently.
set -euo pipefail
cd "$(dirname "$0")/.."
BIN=${BIN:-.venv/bin}
missing=()
# Tests start hundreds of processes: each would compile everything that it imports once more.
unset PYTHONDONTWRITEBYTECODE

apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    apt-get update -qq >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null 2>&1
}

have_chromium() { command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; }
# The shell draws the same without a window: a third faster.
command -v chromium-headless-shell >/dev/null || apt_install chromium-headless-shell || true
have_chromium || apt_install chromium || true
have_chromium || missing+=("Chromium (package chromium)")

export TEST_POSTGRES_URL=${TEST_POSTGRES_URL:-postgres://postgres@127.0.0.1:5432/postgres}
have_postgres() { "$BIN/python" -c 'import os, psycopg; psycopg.connect(os.environ["TEST_POSTGRES_URL"], connect_timeout=3)' 2>/dev/null; }
start_postgres() {
    ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || apt_install postgresql || return 1
    local bin folder
    bin=$(dirname "$(ls -d /usr/lib/postgresql/*/bin/initdb | tail -n 1)")
    folder=$(mktemp -d) && chown postgres "$folder"
    su postgres -c "$bin/initdb -A trust -D $folder/data >/dev/null && $bin/pg_ctl -D $folder/data -o '-p 5432 -k $folder' -w start >/dev/null"
}
have_postgres || start_postgres || true
have_postgres || missing+=("PostgreSQL (set TEST_POSTGRES_URL)")

export TEST_REDIS_URL=${TEST_REDIS_URL:-redis://127.0.0.1:6379/9}
have_redis() { "$BIN/python" -c 'import os, redis; redis.from_url(os.environ["TEST_REDIS_URL"], socket_connect_timeout=3).ping()' 2>/dev/null; }
start_redis() {
    command -v redis-server >/dev/null || apt_install redis-server || return 1
    redis-server --daemonize yes --bind 127.0.0.1 --port 6379 --save "" --appendonly no >/dev/null
    sleep 1
}
have_redis || start_redis || true
have_redis || missing+=("Redis (set TEST_REDIS_URL)")

# Tests start a node of their own: only the server's files are needed, nothing that runs.
have_rabbitmq() { [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || command -v rabbitmq-server >/dev/null; }
have_rabbitmq || apt_install rabbitmq-server || true
have_rabbitmq || missing+=("RabbitMQ (package rabbitmq-server)")

# Hosts of their own (network namespaces), and a clock that lies (a small library): see docs/reliability.md.
for tool in "ip iproute2" "cc gcc" "curl curl"; do
    command -v "${tool% *}" >/dev/null || apt_install "${tool#* }" || true
    command -v "${tool% *}" >/dev/null || missing+=("${tool% *} (package ${tool#* })")
done

without=""
for what in "${missing[@]:-}"; do
    [ -n "$what" ] || continue
    echo "missing: $what" >&2
    [ -z "${CI:-}" ] || exit 1
    case "$what" in
        Chromium*) without="$without and not browser" ;;
        RabbitMQ*) without="$without and not rabbitmq" ;;
    esac
done

step() { printf '\n== %s\n' "$1"; }
# The files that name a marker: to load all the others, for a step that takes none of their tests,
# would cost most of a minute each time.
marked() { grep -rlE "mark\.($1)\b" tests --include='test_*.py'; }

# What every first start makes is made once for all steps.
TEST_PREPARED=$(mktemp -d)
export TEST_PREPARED
aside_pid=""
finish() {
    # Whoever is interrupted ends what runs aside, with its workers; they have a group of their own.
    [ -z "$aside_pid" ] || kill -- "-$aside_pid" 2>/dev/null || true
    rm -rf "$TEST_PREPARED"
}
trap finish EXIT

types() {
    step "types and migrations"
    "$BIN/mypy"
    "$BIN/python" manage.py makemigrations --check --dry-run
}

on_postgres() {
    step "data layer on PostgreSQL"
    DATABASE_URL=$TEST_POSTGRES_URL "$BIN/pytest" -n 2 --dist loadgroup -m "data and not any_database and not live and not browser" $AGAIN $(marked data)
}

step "style"
"$BIN/ruff" check .
"$BIN/ruff" format --check .

# Threads, processes, browsers and servers wait for each other beside whatever else the machine does:
# what fails gets one second try, and the last lines name what did. Look at those: each one so far
# was a race, in the product or in its test.
AGAIN="--reruns 1 --rerun-show-tracebacks -r fER"

step "all tests, SQLite and the embedded broker"
"$BIN/pytest" -n 3 --dist loadgroup -m "not live and not browser and not faults$without" $AGAIN
if have_chromium; then
    step "journeys in a browser"
    "$BIN/pytest" -n 3 --dist worksteal -m "browser and not live and not faults" $AGAIN $(marked browser)
fi

# Servers and workers wait more than they work, three tests at a time on two processors: what only
# computes takes the rest, always behind them (`nice`), and is shown as a whole when both are done.
set -m
(
    renice -n 10 -p "$BASHPID" >/dev/null
    # Plain commands: in a condition bash would go on after a failure.
    types
    if have_postgres; then on_postgres; fi
) >"$TEST_PREPARED/aside.log" 2>&1 </dev/null &
aside_pid=$!
set +m
failed=0
step "real servers, workers and faults"
"$BIN/pytest" -n 3 --dist loadfile --no-loadscope-reorder -m "(live or faults) and not long$without" $AGAIN $(marked "live|faults") || failed=$?
if have_redis; then
    step "task layer on Redis"
    # While what runs aside goes on; each process has a database of Redis of its own.
    CELERY_BROKER_URL=$TEST_REDIS_URL "$BIN/pytest" -n 2 --dist loadfile --no-loadscope-reorder -m "tasks and not long" $AGAIN $(marked tasks) || failed=$?
fi
wait "$aside_pid" || failed=$?
aside_pid=""
cat "$TEST_PREPARED/aside.log"
exit "$failed"
