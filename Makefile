# make run    shows the answer about two real hosts; needs nothing but Go
# make test   installs what the tests need, where it may, and runs all of them
# make check  what CI runs: linters, generated files, cross builds, make test

export CGO_ENABLED = 0

.PHONY: build run test check generate clean

build:
	go build -trimpath -o bin/guise ./cmd/guise

# The no, its mend, the yes. An answer of "no" is not a failure of make.
run: build
	@.ci/show \
		'baseline graviton2@6.18 graviton3@6.18' \
		'baseline --vary ID_AA64MMFR2_EL1.EVT,FWB,IDS --identity-of graviton2@6.18 graviton2@6.18 graviton3@6.18' \
		'baseline graviton2@6.1 graviton2@6.18'

test: build
	.ci/install
	.ci/test

check:
	.ci/run

generate:
	go generate ./...

clean:
	rm -rf bin
