package vmtest

import (
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
)

func TestFake(t *testing.T) {
	TestHost(t, &Fake{
		Limits: map[arm64.ID]uint64{
			mpidr:                               0,
			pfr0:                                0x1101_0000_1111_0112,
			arm64.Encoding{Op0: 3, CRm: 6}.ID(): 0x0000_1111_1021_2120,
		},
		Features: []guise.Feature{guise.FeaturePMU},
	})
}
