#!/bin/bash
# Builds kube-apiserver and kubelet from Debian's source package: build.sh SOURCE GO BIN. SOURCE is the unpacked source,
# GO the folder of the Go compiler, BIN receives the programs. It takes 6 to 8 minutes on two processors.
set -euo pipefail
source=$1 bin=$3
export GOROOT=$2 GO111MODULE=off CGO_ENABLED=0 GOFLAGS=-tags=providerless
export GOPATH=$source/.go GOCACHE=$source/.go-cache
export PATH=$GOROOT/bin:$PATH

mkdir -p "$GOPATH/src/k8s.io" "$bin"
ln -sfn "$source" "$GOPATH/src/k8s.io/kubernetes"
cd "$GOPATH/src/k8s.io/kubernetes"

# The source package lacks this generated file.
generated=k8s.io/kubernetes/pkg/generated/openapi
if [ ! -s pkg/generated/openapi/zz_generated.openapi.go ]; then
	go build -o "$source/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
	tagged=$(
		{
			# in any file: some packages mark single types
			grep -rl --include='*.go' --exclude='zz_generated*' '+k8s:openapi-gen=' pkg cmd
			cd vendor && grep -Rl --include='*.go' --exclude='zz_generated*' '+k8s:openapi-gen=' k8s.io | sed 's|^|vendor/|'
		} | xargs -n1 dirname | sort -u
	)
	inputs=$(echo "$tagged" | sed -e 's|^vendor/||' -e 't' -e 's|^|k8s.io/kubernetes/|' | paste -sd,)
	"$source/openapi-gen" --v 1 --logtostderr --go-header-file hack/boilerplate/boilerplate.generatego.txt \
		--output-base "$GOPATH/src" --output-package "$generated" --output-file-base zz_generated.openapi \
		--report-filename "$source/openapi-violations" --input-dirs "$inputs"
fi
for program in kube-apiserver kubelet; do
	go build -ldflags '-s -w' -o "$bin/$program.part" "./cmd/$program"
	mv "$bin/$program.part" "$bin/$program"
done
