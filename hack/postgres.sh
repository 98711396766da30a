#!/usr/bin/env bash
# Makes PostgreSQL's programs available to the tests of the archive. Root on a Debian-like machine gets them
# installed, without the server that the package would start; others are told and test with SQLite alone.
set -euo pipefail

has() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null; }

install() {
	apt-get install -y -qq --no-install-recommends postgresql-common || return
	sed -i 's/^#\?create_main_cluster .*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
	apt-get install -y -qq --no-install-recommends postgresql
}

if ! has && [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
	echo 'postgres.sh: installing PostgreSQL for the tests of the archive' >&2
	export DEBIAN_FRONTEND=noninteractive
	{ install || { apt-get update -qq && install; }; } >&2 || true
fi
has || echo 'postgres.sh: no PostgreSQL (install the package postgresql): the archive is tested with SQLite only' >&2
