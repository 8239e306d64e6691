#!/bin/bash
# Runs COUNT seeds of the simulator, saved and fresh, and has the reference machine judge each:
# every other one with a Byzantine member, whose strategies take turns.
#     conform_sim.sh SIMULATOR MACHINE COUNT [FIRST]
set -u

simulator=$1
machine=$2
count=$3
first=${4:-$((RANDOM * 32768 + RANDOM))}
strategies=(twin equivocate withhold stale slow split sleep delay mutate flood fork
	false-verify lie slander)
saved=("537212096" "331838965" "397217275" "989992937 --adversary slander" "253114855")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# judge SEED OPTION...
judge() {
	# What a batch must show (a strategy acts and leaves evidence) one seed need not.
	if ! "$simulator" --seed "$@" --quiet --trace "$work/trace" >"$work/log" 2>&1 &&
		! grep -q '^FAILED: ' "$work/log"; then
		cat "$work/log"
		exit 1
	fi
	if ! "$machine" "$work/trace" >"$work/log" 2>&1; then
		cat "$work/log"
		echo "refused: quorate-sim --seed $* --trace FILE writes the trace"
		exit 1
	fi
}

echo "seeds from $first"
for seed in "${saved[@]}"; do
	# shellcheck disable=SC2086
	judge $seed
done
for ((i = 0; i < count; i++)); do
	if ((i % 2 == 0)); then
		judge $((first + i))
	else
		turn=$(((first + i / 2) % ${#strategies[@]}))
		judge $((first + i)) --adversary "${strategies[turn]}"
	fi
done
echo "$((${#saved[@]} + count)) traces accepted"
