package probe_test

import (
	"fmt"

	"github.com/guise-project/guise/probe"
)

func ExampleProgram_Build() {
	image, err := probe.FeatureSpace().Build(probe.Layout{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("load at %#x, start at %#x, wait for a store to %#x\n", image.Base, image.Entry, uint64(probe.Doorbell))
	// Output: load at 0x40200000, start at 0x40204000, wait for a store to 0x9000000
}

func ExampleExplainSyndrome() {
	fmt.Println(probe.ExplainSyndrome(0x02000000))
	fmt.Println(probe.ExplainSyndrome(0x62344001))
	// Output:
	// EC 0x00, undefined, or of unknown reason
	// EC 0x18, trapped MSR, MRS or system instruction: read of S3_1_C0_C0_2 to x0
}
