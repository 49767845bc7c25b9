#!/bin/sh
# deps.sh build|test... - installs the Debian and npm packages that are missing, and says
# which. Needs root or sudo only when something is missing. Services that come with a test
# package (Postfix, Dovecot, NSD, Unbound) are not started, now or at the next boot; those that
# were installed before are left alone.
set -e
cd "$(dirname "$0")/.."

build="gcc libc6-dev make pkg-config ca-certificates dns-root-data libssl-dev libmicrohttpd-dev
libsqlite3-dev libjansson-dev libidn2-dev libunistring-dev libargon2-dev libsystemd-dev libcap-dev
libcurl4-openssl-dev zlib1g-dev libunbound-dev libcrypt-dev"
test="libcmocka-dev clang clang-format libclang-rt-14-dev python3 postfix dovecot-core
dovecot-lmtpd swaks nsd ldnsutils openssl chromium procps $(cat tests/*/packages)"

wanted=
for set in "$@"; do
	case $set in
	build) wanted="$wanted $build" ;;
	test) wanted="$wanted $test" ;;
	*) echo "deps.sh: unknown set $set" >&2; exit 2 ;;
	esac
done

# shellcheck disable=SC2086
have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null | sed -n 's/ installed$//p')
missing=
for p in $wanted; do
	case " $(echo "$have" | tr '\n' ' ') $missing " in
	*" $p "*) ;;
	*) missing="$missing $p" ;;
	esac
done
case " $* " in
*" test "*) # node and npm may come from elsewhere
	command -v node >/dev/null || missing="$missing nodejs"
	command -v npm >/dev/null || missing="$missing npm"
	;;
esac

as_root() {
	if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

if [ -n "$missing" ]; then
	echo "deps: installing Debian packages:$missing"
	if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
		echo "deps: needs root or sudo: apt-get install$missing" >&2
		exit 1
	fi
	policy=
	if [ ! -e /usr/sbin/policy-rc.d ]; then # its answer 101: start nothing
		policy=/usr/sbin/policy-rc.d
		trap 'as_root rm -f "$policy"' EXIT INT TERM
		printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
		as_root chmod 755 "$policy"
	fi
	log=$(mktemp)
	as_root apt-get -q -o DPkg::Lock::Timeout=600 update >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 --no-install-recommends \
		install $missing >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
	rm -f "$log"
	for p in $missing; do
		case $p in
		postfix | nsd | unbound) service=$p ;;
		dovecot-core) service=dovecot ;;
		*) continue ;;
		esac
		if command -v systemctl >/dev/null; then
			as_root systemctl -q disable "$service" 2>/dev/null ||
				echo "deps: $service could not be disabled, see systemctl"
		fi
	done
fi

case " $* " in
*" test "*)
	b=tests/browser
	# What was installed is remembered by the lock file it came from.
	if ! cmp -s $b/package-lock.json $b/node_modules/.installed; then
		echo "deps: installing npm packages of $b"
		(cd $b && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --silent)
		cp $b/package-lock.json $b/node_modules/.installed
	fi
	;;
esac
