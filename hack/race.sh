#!/usr/bin/env bash
# Prints -race where the race detector works. It needs a C compiler: root on a
# Debian-like machine gets one installed, others are told and test without.
set -euo pipefail

can() { [[ $(go env CGO_ENABLED) == 1 ]] && command -v "$(go env CC | cut -d' ' -f1)" >/dev/null; }

if ! can && [[ -z ${CGO_ENABLED:-} && $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
	echo 'race.sh: installing gcc for the race detector' >&2
	export DEBIAN_FRONTEND=noninteractive
	{ apt-get install -y -qq --no-install-recommends gcc libc6-dev ||
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev; }; } >&2 || true
fi
if can; then
	echo -race
else
	echo 'race.sh: no C compiler (install gcc and libc6-dev): testing without the race detector' >&2
fi
