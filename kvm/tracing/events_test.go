package tracing

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestParse reads what kernels printed while a guest started, read
// ID_AA64PFR0_EL1, called PSCI_VERSION by HVC and stored to where there is no
// memory.
func TestParse(t *testing.T) {
	last := []Event{
		{Kind: Exit, Trap: true, Class: 0x18, PC: 0x402041fc},
		{Kind: SystemRegister, Syndrome: 0x62300009},
		{Kind: Exit, Trap: true, Class: 0x16, PC: 0x4020423c},
		{Kind: Hypercall, PC: 0x4020423c, Function: 0x84000000},
		{Kind: Exit, Trap: true, Class: 0x24, PC: 0x40204268},
	}
	for _, name := range []string{"5.10", "7.2"} {
		file, err := os.Open("testdata/" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		events, err := parse(file)
		if err != nil || len(events) < len(last) || !slices.Equal(events[len(events)-len(last):], last) {
			t.Errorf("%s: %+v, %v\nwant at the end %+v", name, events, err, last)
		}
		interrupted := slices.ContainsFunc(events, func(e Event) bool { return e.Kind == Exit && !e.Trap })
		if !interrupted {
			t.Errorf("%s: no event of an interrupt", name)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, line := range []string{
		"CPU:0 [LOST 12 EVENTS]",
		"kvm_entry: PC: 0x0000000040204a2c",
		"kvm_exit: TRAP: ESR_EC: 0x0018 (SYS64), PC: 0x0000000040204a2c",
		"kvm_exit: TRAP: HSR_EC: 0x0018 (SYS64), PC: 0x11112222333344445",
		"kvm_handle_sys_reg: HSR",
	} {
		if events, err := parse(strings.NewReader(line + "\n")); err == nil || events != nil {
			t.Errorf("%q gave %+v, %v", line, events, err)
		}
	}
}
