# make run    shows the answer about two real hosts; needs nothing but Go
# make test   installs what the tests need, where it may, and runs all tests, those
#             with real kernels on a few hosts that stand for the others
# make matrix like make test, on every host
# make check  what CI runs: linters, generated files, cross builds, every test

export CGO_ENABLED = 0

.PHONY: build run tools test matrix check generate clean

build:
	go build -trimpath -ldflags "-X github.com/guise-project/guise/lab.builtFrom=$(CURDIR)" -o bin/guise ./cmd/guise

# The no, its mend, the yes. An answer of "no" is not a failure of make.
run: build
	@.ci/show \
		'baseline graviton2@6.18 graviton3@6.18' \
		'baseline --vary ID_AA64MMFR2_EL1.EVT,FWB,IDS --identity-of graviton2@6.18 graviton2@6.18 graviton3@6.18' \
		'baseline graviton2@6.1 graviton2@6.18'

tools: build
	.ci/install

test: tools
	.ci/test

matrix: tools
	.ci/test --matrix

check:
	.ci/run

generate:
	go generate ./...

clean:
	rm -rf bin
