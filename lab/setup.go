package lab

import (
	"context"

	"github.com/guise-project/guise/lab/debian"
)

// Setup fetches the newest kernel for each of the versions ("6.12") and an
// architecture in Go's spelling, unless it is here already, and checks what is
// here. With refresh it looks for newer ones. It is safe for concurrent use,
// between processes too. How far it is shows on the context's progress display;
// report, where not nil, is told what did not go as it should.
func Setup(ctx context.Context, arch string, versions []string, refresh bool, report func(string)) ([]debian.Kernel, error) {
	a, err := architectureOf(arch)
	if err != nil {
		return nil, err
	}
	directory, err := kernelDirectory()
	if err != nil {
		return nil, err
	}
	return debian.Fetch(ctx, debian.Request{
		Directory: directory, Arch: a.debian, Flavour: a.flavour,
		Versions: versions, Refresh: refresh, Report: report,
	})
}
