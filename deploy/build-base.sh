#!/bin/bash
# Makes the base images of deploy/Dockerfile without a registry: build-base.sh FOLDER [NODE]. Needs apt-get, dpkg-deb
# and node.
#   FOLDER/base.tar  for BASE_IMAGE: the few Debian packages that polytrace and Node.js need, and a shell
#   FOLDER/node.tar  for NODE_IMAGE: /usr/local/bin/node, a stripped copy of this machine's or of NODE, and its LICENSE
# With APT_CONFIG, they can be for another architecture, whose NODE is then needed: no program of it runs.
# The packages are of this machine's Debian release. They are unpacked and not configured, as `mmdebstrap
# --variant=extract` does it, but without another copy of the package lists.
set -euo pipefail

target=$(realpath -m "${1:?usage: build-base.sh FOLDER [NODE]}")
packages=(base-files dash libbpf1 libc6 libelf1t64 libgcc-s1 libstdc++6 libzstd1 zlib1g)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/packages" "$work/base" "$work/node/usr/local/bin" "$target"

# ---- Debian packages -------------------------------------------------------------------------------------------

download() {
	# this package has the licence of libgcc and libstdc++
	local gcc_base
	gcc_base=$(apt-cache depends libgcc-s1 | grep -o 'gcc-[0-9]*-base')
	(cd "$work/packages" && apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}" "$gcc_base")
}
download 2>/dev/null || { apt-get -qq update && download; }
for package in "$work"/packages/*.deb; do dpkg-deb --extract "$package" "$work/base"; done
rm -rf "$work"/base/usr/share/{bug,doc-base,info,lintian,locale,man}
# Who passes the image on has to pass these on.
find "$work/base/usr/share/doc" -type f ! -name copyright -delete
# The packages' scripts would make these.
[ -e "$work/base/usr/bin/sh" ] || ln -s dash "$work/base/usr/bin/sh"
echo 'root:x:0:0:root:/root:/bin/sh' >"$work/base/etc/passwd"
echo 'root:x:0:' >"$work/base/etc/group"
tar -C "$work/base" --numeric-owner --owner=0 --group=0 -cf "$target/base.tar" .

# ---- Node.js ---------------------------------------------------------------------------------------------------

node=${2:-$(node -p process.execPath)}
# A Node.js of shared libraries, such as that of Debian, needs more packages than are in the base.
if ldd "$node" 2>/dev/null | grep -q libnode; then
	echo "build-base: $node needs libnode: use a Node.js of one file, such as that of the npm package node" >&2
	exit 1
fi
# eu-strip of elfutils also knows other architectures.
strip -o "$work/node/usr/local/bin/node" "$node" 2>/dev/null ||
	eu-strip -o "$work/node/usr/local/bin/node" "$node" 2>/dev/null || cp "$node" "$work/node/usr/local/bin/node"
chmod 755 "$work/node/usr/local/bin/node"
for licence in "${node%/bin/*}"/{LICENSE,share/doc/nodejs/copyright} ""; do
	[ -e "$licence" ] && break
done
[ -n "$licence" ] || { echo "build-base: no file with the licence of $node was found" >&2 && exit 1; }
cp "$licence" "$work/node/usr/local/LICENSE"
tar -C "$work/node" --numeric-owner --owner=0 --group=0 -cf "$target/node.tar" .
