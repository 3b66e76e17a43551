//go:build !unix

package debian

import (
	"context"
	"errors"
)

func lock(context.Context, string) (func(), error) {
	return nil, errors.New("lab: kernels can be fetched on Debian only")
}
