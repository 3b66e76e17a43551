package guise_test

import (
	"strings"
	"testing"

	"github.com/guise-project/guise"
)

// TestAcceptsOfOneRegisterOnce: what a register takes stands in a setup once, by
// whichever of its names.
func TestAcceptsOfOneRegisterOnce(t *testing.T) {
	const named, encoded = `"ID_AA64ISAR0_EL1":{"AES":"0-2"}`, `"S3_0_C0_C6_0":{"AES":"0"}`
	capture := func(accepts string) string {
		return `{"schema":"guise/capture/v1","setups":[{"vgic":3,"registers":{"ID_AA64ISAR0_EL1":"0x0000000000000020"},"accepts":{` + accepts + `}}]}`
	}
	for _, accepts := range []string{named, encoded} {
		if _, err := guise.ReadCapture("c.json", []byte(capture(accepts))); err != nil {
			t.Errorf("%s: %v", accepts, err)
		}
	}
	for _, accepts := range []string{named + "," + encoded, encoded + "," + named, named + "," + strings.Replace(named, "ID_AA64ISAR0_EL1", "S3_0_C0_C6_0", 1)} {
		if _, err := guise.ReadCapture("c.json", []byte(capture(accepts))); err == nil || !strings.Contains(err.Error(), "accepts: ID_AA64ISAR0_EL1 stands in it twice, by two names") {
			t.Errorf("%s: %v", accepts, err)
		}
	}
}

// TestFleetViewsHaveSetups: a view without setups is no view, whether or not a host
// has it.
func TestFleetViewsHaveSetups(t *testing.T) {
	for _, view := range []string{`{}`, `{"setups":[]}`} {
		_, err := guise.ReadFleet("f.json", []byte(`{"schema":"guise/fleet/v1","hosts":[],"views":{"sha256:00":`+view+`}}`))
		if err == nil || !strings.Contains(err.Error(), "view sha256:00: has no setups") {
			t.Errorf("%s: %v", view, err)
		}
	}
}
