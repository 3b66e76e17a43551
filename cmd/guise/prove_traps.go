package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/probe"
)

// operationWords are the kinds of operation as people call them.
var operationWords = []struct {
	kind  probe.Kind
	words string
}{
	{probe.MRS, "reads"}, {probe.MSR, "writes"}, {probe.MRC, "reads"}, {probe.MCR, "writes"}, {probe.HVC, "HVCs"}, {probe.SMC, "SMCs"}, {probe.Execute, "instructions"},
}

// printTraps says who answered the guest, where somebody was asked.
func printTraps(w io.Writer, proof *guise.Proof) {
	traps := proof.Traps
	if traps == nil {
		return
	}
	if traps.Unknown != "" {
		fmt.Fprintf(w, "not known: who answered the guest (%s)\n", traps.Unknown)
		return
	}
	var counts []string
	for _, row := range operationWords {
		trapped := len(traps.Trapped[row.kind])
		if all := trapped + len(traps.NotTrapped[row.kind]); all > 0 {
			counts = append(counts, fmt.Sprintf("%d of %d %s", trapped, all, row.words))
		}
	}
	fmt.Fprintf(w, "answered by KVM: %s (%s)\n", strings.Join(counts, ", "), traps.RestsOn)
	if own := ownValues(proof); len(own) > 0 {
		fmt.Fprintf(w, "read from the CPU: %s\n", strings.Join(own, ", "))
	}
}

// ownValues are the registers that the CPU gave the guest a value of.
func ownValues(proof *guise.Proof) []string {
	var names []string
	for _, name := range proof.Traps.NotTrapped[probe.MRS] {
		record := proof.Trace.Find(probe.MRS, name)
		family, level, many := strings.Cut(name, "[")
		switch {
		case record == nil || record.Outcome != probe.Completed:
		case name == arm64.Registers[arm64.MIDREL1].Name:
			names = append(names, name+" (VPIDR_EL2)")
		case name == arm64.Registers[arm64.MPIDREL1].Name:
			names = append(names, name+" (VMPIDR_EL2)")
		case !many:
			names = append(names, name)
		case level == "0]":
			names = append(names, family) // CCSIDR_EL1, one for each cache
		}
	}
	return names
}
