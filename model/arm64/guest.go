package arm64

import (
	"context"
	"errors"

	"github.com/guise-project/guise/probe"
)

func (m *VM) Run(ctx context.Context, vcpu int, program *probe.Program) (*probe.Trace, error) {
	return nil, errors.New("todo")
}
