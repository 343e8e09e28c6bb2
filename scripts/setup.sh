#!/bin/bash
# Installs and builds only what is missing: setup.sh [--vm | --arm64 | --fuzz | --packages]. It can be run again at any
# time.
#   --vm        also installs the packages for the tests' virtual machine, containers, cluster and browser
#   --arm64     also installs the packages for the virtual machine with an arm64 kernel
#   --fuzz      also installs libFuzzer
#   --packages  also installs the packages for prebuilt addons and for the tests of the npm package
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "setup: $*" >&2; }
fail() {
	say "$*"
	exit 1
}
# Runs a step and shows its output only if it fails.
quietly() {
	local log
	log=$(mktemp)
	if ! "$@" >"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		rm -f "$log"
		fail "failed: $*"
	fi
	rm -f "$log"
}
have() { command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] || [ -x "/usr/libexec/$1" ]; }

# ---- Debian packages -------------------------------------------------------------------------------------------

missing=()
need() { # PACKAGE TEST...: adds the package unless the test succeeds
	local package=$1
	shift
	"$@" 2>/dev/null || missing+=("$package")
}
# The output of older versions is not tested. Debian 13 has version 19.
any_clang() {
  local newest
  newest=$(compgen -c clang- | sed -n 's/^clang-\([0-9]*\)$/\1/p' | sort -n | tail -1)
  [ "${newest:-0}" -ge 16 ] || { have clang && [ "$(clang -dumpversion | cut -d. -f1)" -ge 16 ]; }
}

[ "$(uname -s)" = Linux ] || fail "tracing needs Linux; on this system only policies can be validated (npm ci && npm run build:ts)"
need clang-19 any_clang
need clang-format-19 have clang-format-19 # for lint
need clang-tidy-19 have clang-tidy-19
need bpftool have bpftool
need cmake have cmake
need g++ have g++
need make have make
need zstd have zstd
need pkg-config have pkg-config
need protobuf-compiler have protoc
need libprotobuf-dev test -e /usr/include/google/protobuf/duration.proto
for pair in libbpf:libbpf-dev libelf:libelf-dev libzstd:libzstd-dev; do
	need "${pair#*:}" pkg-config --exists "${pair%%:*}"
done
wants() { case " $options " in *" $1 "*) ;; *) return 1 ;; esac }
options=$*
if wants --packages; then
	need clang-19 have clang-19
	need lld-19 have ld.lld-19
	need mmdebstrap have mmdebstrap
	need dpkg-dev have dpkg-source
	# the image of a release
	need podman have podman
	need crun have crun
	need skopeo have skopeo
	need elfutils have eu-strip
	need qemu-user have qemu-aarch64
fi
if wants --arm64; then
	need qemu-system-arm have qemu-system-aarch64
	need virtiofsd test -x /usr/libexec/virtiofsd
fi
if wants --vm; then
	need qemu-system-x86 have qemu-system-x86_64
	need virtiofsd have virtiofsd
	need busybox-static test -x /bin/busybox
	need podman have podman
	need golang-go have go
	need runc have runc
	need crun have crun
	need docker.io have dockerd
	need containerd have containerd
	need docker-cli have docker
	need docker-buildx test -x /usr/libexec/docker/cli-plugins/docker-buildx
	need systemd test -x /usr/lib/systemd/systemd
	need kmod have depmod
	need iproute2 have ip
	need chromium have chromium
	need fish have fish
	need zsh have zsh
	need etcd-server have etcd
	need kubernetes-client have kubectl
	need openssl have openssl
	# what Kubernetes, Helm and Prometheus do with rules, templates and alerts
	need golang-go have go
	need golang-github-google-cel-go-dev test -d /usr/share/gocode/src/github.com/google/cel-go
	need golang-github-masterminds-sprig-dev test -d /usr/share/gocode/src/github.com/Masterminds/sprig
	need golang-gopkg-yaml.v3-dev test -d /usr/share/gocode/src/gopkg.in/yaml.v3
	need prometheus have promtool
	need prometheus-alertmanager have prometheus-alertmanager
	need nats-server have nats-server
	# the ordinary work of test/kernel/ordinary-tasks.ts
	need openssh-server have sshd
	need sudo have sudo
	need cron have cron
	need rsync have rsync
	need logrotate have logrotate
	need nginx-light have nginx
	need postgresql compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
	need iputils-ping have ping
	need linux-image-amd64 compgen -G '/boot/vmlinuz-6.12.*' >/dev/null
fi
[ "${1-}" != --fuzz ] || need libclang-rt-19-dev compgen -G '/usr/lib/llvm-19/lib/clang/19/lib/linux/libclang_rt.fuzzer-*.a' >/dev/null
if [ ${#missing[@]} -gt 0 ]; then
	have apt-get || fail "install these first (their Debian names): ${missing[*]}"
	[ "$(id -u)" = 0 ] || fail "Debian packages are missing; as root: apt-get install ${missing[*]}"
	say "installing Debian packages: ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	quietly apt-get update
	absent=()
	for package in "${missing[@]}"; do
		apt-cache show --no-all-versions "$package" >/dev/null 2>&1 || absent+=("$package")
	done
	purpose=building
	! wants --vm || purpose="the virtual machine"
	[ ${#absent[@]} -eq 0 ] || fail "this release has no ${absent[*]}: $purpose needs Debian 13. The addon in the npm package runs on older releases, too: npm install polytrace"
	# tests start what they need: a package starts no service of its own
	services=/usr/sbin/policy-rc.d
	if [ ! -e $services ]; then
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
		printf '#!/bin/sh\nexit 101\n' >$services
		chmod 755 $services
	fi
	quietly apt-get install -y --no-install-recommends "${missing[@]}"
	if [ -n "$(trap -p EXIT)" ]; then
		rm -f $services
		trap - EXIT
	fi
fi

# ---- npm packages ----------------------------------------------------------------------------------------------

major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] || fail "Node.js 20 or later is needed, this is $(node --version)"
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
	say "installing npm packages"
	quietly npm ci --no-audit --no-fund
fi

# ---- build -----------------------------------------------------------------------------------------------------

# CMake knows which files are out of date. The first line appears only if there is something to build.
[ -e build/Release/polytrace.node ] || say "building the addon"
quietly npm run --silent build:native
if [ ! -e dist/index.js ] || [ ! -e agent/dist/index.js ] ||
	[ -n "$(find lib types agent/lib agent/page scripts/bundle*.mjs tsconfig.json tsconfig.build.json agent/tsconfig.build.json -newer dist/index.js -print -quit)" ]; then
	say "compiling TypeScript"
	quietly npm run --silent build:ts
	touch dist/index.js
fi
