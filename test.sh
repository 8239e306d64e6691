#!/bin/bash
# Builds everything with gcc and with clang under sanitizers, and runs every test.
set -u

usage() {
	cat <<'END'
usage: ./test.sh [--suite NAME]... [--list] [--json FILE] [--help]
       ./test.sh --campaign MINUTES [--json FILE]
       ./test.sh --seed N [--json FILE]

Builds Quorate twice (gcc with warnings as errors; clang with AddressSanitizer
and UndefinedBehaviorSanitizer) below ./build, runs all tests of both builds,
then some mutants and the integration scripts, and ends with one line:

    N passed, N failed, N skipped

  --suite NAME   only this suite: unit, golden, sim, conform, twins, explore,
                 fuzz, house, mutants or integration; may be given several times
  --list         name the tests, run none
  --json FILE    write the results to FILE as well
  --help         this text

  --campaign MINUTES
                 search for violations on every processor and log the sums in
                 tests/campaign.tsv (see tools/campaign --help)
  --seed N       run one seed of the simulator again, with every event it tells

Runs as root: it installs missing Debian packages (tools/packages.txt), and the
integration tests make network namespaces. A test that lacks a facility is
skipped and says which. Exit code: 0 all passed, 1 a test or a build failed,
2 wrong use.
END
}

fail_usage() {
	echo "test.sh: $1 (see --help)" >&2
	exit 2
}

suites=()
json=""
minutes=""
seed=""
is_list=false
while [ $# -gt 0 ]; do
	case $1 in
	--suite)
		[ $# -ge 2 ] || fail_usage "--suite needs a name"
		case $2 in
		unit | golden | sim | conform | twins | explore | fuzz | house | mutants | \
			integration)
			suites+=("$2")
			;;
		*) fail_usage "no suite is named '$2'" ;;
		esac
		shift
		;;
	--json)
		[ $# -ge 2 ] || fail_usage "--json needs a file"
		json=$(realpath -m -- "$2")
		shift
		;;
	--campaign | --seed)
		[ $# -ge 2 ] || fail_usage "$1 needs a number"
		[[ $2 =~ ^[0-9]+(\.[0-9]+)?$ ]] || fail_usage "not a number: '$2'"
		if [ "$1" = --seed ]; then seed=$2; else minutes=$2; fi
		shift
		;;
	--list) is_list=true ;;
	--help | -h)
		usage
		exit 0
		;;
	*) fail_usage "unknown argument '$1'" ;;
	esac
	shift
done

cd "$(dirname "$(realpath "$0")")" || exit 2
if [ "$(id -u)" -ne 0 ]; then
	echo "test.sh: run me as root: sudo ./test.sh" >&2
	echo "(installs missing packages, makes network namespaces, locks memory)" >&2
	exit 2
fi

root=$PWD
logs=$root/build/test-logs
results=$logs/results.tsv
export LC_ALL=C.UTF-8 ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
mkdir -p "$logs"
exec 9>"$root/build/test.lock"
flock -n 9 || {
	echo "test.sh: another run is using $root/build; wait for it" >&2
	exit 2
}
: >"$results"

say() {
	printf '== %s  %s\n' "$(date +%H:%M:%S)" "$*"
}

# add RESULT NAME SECONDS REASON
add() {
	printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$(printf %s "$4" | tr '\t\n' '  ')" >>"$results"
}

wants() {
	[ ${#suites[@]} -eq 0 ] && return 0
	local suite
	for suite in "${suites[@]}"; do
		[ "$suite" = "$1" ] && return 0
	done
	return 1
}

wants_meson() {
	local suite
	for suite in unit golden sim conform twins explore fuzz house; do
		wants "$suite" && return 0
	done
	return 1
}

# configure NAME COMPILER OPTION...: keeps an old build folder if meson still accepts it.
configure() {
	local folder=build/$1 compiler=$2 log=$logs/configure-$1.log
	shift 2
	if [ -f "$folder/build.ninja" ]; then
		CC=$compiler timeout 300 meson setup --reconfigure "$folder" "$@" \
			>"$log" 2>&1 9>&- && return 0
	fi
	rm -rf "$folder"
	CC=$compiler timeout 300 meson setup "$folder" "$@" >"$log" 2>&1 9>&-
}

# What meson left out of the build counts as skipped, with meson's reason.
note_skipped() {
	sed -n '/^  Skipped$/,/^$/p' "$logs/configure-$1.log" | sed 1d |
		while IFS=: read -r part reason; do
			part=$(echo "$part" | xargs)
			[ -z "$part" ] || add skipped "$1/build/$part" 0 "${reason# }"
		done
}

# build NAME COMPILER OPTION...
build() {
	local name=$1 log=$logs/build-$1.log start=$SECONDS
	say "build: $name"
	if ! configure "$@"; then
		tail -n 20 "$logs/configure-$name.log"
		add failed "$name/build/configure" $((SECONDS - start)) \
			"see build/test-logs/configure-$name.log"
		return 1
	fi
	note_skipped "$name"
	if ! timeout 1800 ninja -C "build/$name" >"$log" 2>&1 9>&-; then
		grep -E -A 6 'error:|FAILED|undefined reference' "$log" | head -n 60
		add failed "$name/build/compile" $((SECONDS - start)) \
			"see build/test-logs/build-$name.log"
		return 1
	fi
	say "build: $name done in $((SECONDS - start)) s"
}

# run_meson NAME OPTION...: the wanted suites of one build.
run_meson() {
	local name=$1 chosen=() suite
	shift
	for suite in ${suites[@]+"${suites[@]}"}; do
		[ "$suite" = integration ] || [ "$suite" = mutants ] || chosen+=(--suite "$suite")
	done
	say "tests: $name"
	rm -f "build/$name/meson-logs/testlog.json"
	timeout --kill-after=20 2400 meson test -C "build/$name" --no-rebuild --num-processes 2 \
		"$@" ${chosen[@]+"${chosen[@]}"} 2>&1 9>&- |
		grep --line-buffered -E '^ *[0-9]+/[0-9]+ |^No suitable|^ERROR'
	if [ "${PIPESTATUS[0]}" -ge 124 ]; then
		add failed "$name/meson" 2400 "the tests of this build did not end in time"
	fi
	if [ -s "build/$name/meson-logs/testlog.json" ]; then
		python3 tools/test_results.py meson "build/$name" "$results"
		show_failures "$name"
	fi
}

# The output of failed meson tests, cut to what fits a screen each.
show_failures() {
	python3 - "build/$1/meson-logs/testlog.json" <<'END'
import json, sys
for line in open(sys.argv[1], encoding="utf-8"):
    test = json.loads(line)
    if test["result"] in ("OK", "SKIP", "EXPECTEDFAIL"):
        continue
    print(f"--- {test['name']}: {test['result']}; command: {' '.join(test['command'])}")
    text = (test.get("stdout") or "") + (test.get("stderr") or "")
    print("\n".join(text.splitlines()[-40:]))
END
}

# Scripts that meson runs with their programs as arguments are named in its table, not here.
integration_scripts() {
	local table=tests/integration/meson.build script
	find tests/integration -maxdepth 1 -name '*.sh' -perm -u+x | sort | while read -r script; do
		grep -q "'$(basename "$script" .sh)'" $table || echo "$script"
	done
}

# run_integration SCRIPT: a line '# timeout: SECONDS' near its top changes the bound.
run_integration() {
	local script=$1 name log start=$SECONDS bound code
	name=integration/$(basename "$script" .sh)
	log=$logs/$(basename "$script" .sh).log
	bound=$(sed -n '1,20s/^# timeout: *\([0-9][0-9]*\)$/\1/p' "$script" | head -n 1)
	bound=${bound:-300}
	say "$name (at most $bound s)"
	QUORATE_BUILD=$root/build/gcc timeout --kill-after=20 "$bound" "./$script" \
		>"$log" 2>&1 </dev/null 9>&-
	code=$?
	case $code in
	0) add passed "$name" $((SECONDS - start)) "" ;;
	77) add skipped "$name" $((SECONDS - start)) "$(grep . "$log" | tail -n 1)" ;;
	*)
		tail -n 40 "$log"
		if [ $code -eq 124 ] || [ $code -eq 137 ]; then
			add failed "$name" $((SECONDS - start)) "not done after $bound s"
		else
			add failed "$name" $((SECONDS - start)) \
				"exit code $code, see ${log#"$root"/}"
		fi
		;;
	esac
	say "$name: exit code $code after $((SECONDS - start)) s"
}

# run_command NAME BOUND COMMAND...: passed if it ends with 0 within BOUND seconds.
run_command() {
	local name=$1 bound=$2 log start=$SECONDS code
	log=$logs/$(basename "$name").log
	shift 2
	say "$name (at most $bound s)"
	timeout --kill-after=20 "$bound" "$@" >"$log" 2>&1 </dev/null 9>&-
	code=$?
	if [ $code -eq 0 ]; then
		add passed "$name" $((SECONDS - start)) ""
	else
		tail -n 40 "$log"
		add failed "$name" $((SECONDS - start)) "exit code $code, see ${log#"$root"/}"
	fi
	say "$name: exit code $code after $((SECONDS - start)) s; $(tail -n 1 "$log")"
}

# Do all patches fit, can the tool fail, and would the tests notice these twelve?
run_mutants() {
	local turn=$RANDOM
	run_command mutants/fit 120 tools/mutants --check
	run_command mutants/canary 1200 tools/mutants --canary --budget 15
	run_command "mutants/twelve-of-$turn" 2400 tools/mutants --rotate 12 --of "$turn"
}

# The same seeds under another compiler, another optimisation and sanitizers.
run_hashes() {
	local first=$((RANDOM << 16 | RANDOM)) seeds=40 build
	for build in gcc clang-asan; do
		timeout 1200 "build/$build/tests/sim/quorate-sim" --hashes "$first" $seeds \
			2>&1 9>&- | tee "$logs/run-$build.log" |
			grep -E '^[0-9]+ [0-9a-f]{16}$' >"$logs/hashes-$build.log" &
	done
	wait
	[ "$(wc -l <"$logs/hashes-gcc.log")" -eq $seeds ] ||
		echo "a seed failed, see run-gcc.log" >>"$logs/hashes-gcc.log"
	run_command "two-builds/hashes-from-$first" 10 \
		diff "$logs/hashes-gcc.log" "$logs/hashes-clang-asan.log"
}

# Both halves of the fresh seeds together reach every mark, and a missing one would be seen.
run_marks() {
	local files=(build/gcc/tests/sim/fresh-[12].json)
	run_command "sim/marks" 10 python3 tools/marks.py "${files[@]}"
	run_command "sim/marks-canary" 10 bash -c '! python3 tools/marks.py --plant "$@"' - \
		"${files[@]}"
}

finish() {
	trap - EXIT
	python3 tools/test_results.py report "$results" ${json:+"$json"}
	exit $?
}

# Here everything must be built: an optional part that is missing is an error.
options=(-Dwerror=true -Ddpdk=enabled -During=enabled -Dbench=enabled -Dtests=true)

say "packages"
if ! tools/install_packages.sh; then
	echo "test.sh: packages are missing and could not be installed" >&2
	exit 2
fi

if [ -n "$minutes" ]; then
	exec tools/campaign "$minutes" ${json:+--json "$json"} 9>&-
fi
if [ -n "$seed" ]; then
	configure gcc gcc "${options[@]}" && ninja -C build/gcc tests/sim/quorate-sim \
		>"$logs/build-sim.log" 2>&1 9>&- || {
		echo "test.sh: the simulator does not build, see build/test-logs" >&2
		exit 1
	}
	exec build/gcc/tests/sim/quorate-sim --seed "$seed" --verbose ${json:+--json "$json"} 9>&-
fi
if $is_list; then
	configure gcc gcc "${options[@]}" || {
		tail -n 20 "$logs/configure-gcc.log"
		exit 1
	}
	meson test -C build/gcc --list 2>/dev/null | grep ' / ' | sed 's,^quorate:,,'
	printf 'mutants / %s\n' fit canary twelve-of-a-turn
	echo 'sim / marks'
	echo 'sim / marks-canary'
	echo 'two-builds / hashes-from-a-seed'
	integration_scripts | sed 's,^tests/\(.*\)\.sh$,\1,; s,/, / ,'
	exit 0
fi

trap 'add failed test.sh 0 "interrupted"; finish' INT TERM
trap finish EXIT
if build gcc gcc "${options[@]}"; then
	rm -f build/gcc/tests/sim/fresh-[12].json # of another run
	! wants_meson || run_meson gcc
	! wants sim || run_marks
	! wants mutants || run_mutants
	if wants integration; then
		for script in $(integration_scripts); do
			run_integration "$script"
		done
	fi
fi
if wants_meson && [ "${suites[*]-}" != house ]; then
	options+=("-Db_sanitize=address,undefined" -Db_lundef=false)
	if build clang-asan clang "${options[@]}"; then
		# The house checks look at the sources; once is enough.
		run_meson clang-asan --no-suite house --timeout-multiplier 4
		[ ! -x build/gcc/tests/sim/quorate-sim ] || ! wants sim || run_hashes
	fi
fi
