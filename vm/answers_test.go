package vm_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/golden"
	isaarm64 "github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/model/arm64"
	"github.com/guise-project/guise/probe"
	"github.com/guise-project/guise/vm"
)

// answeringHosts are hosts of the model, and the setups that are tried on them.
var answeringHosts = []struct {
	name   string
	setups []guise.Setup
}{
	{"5.10/cortex-a72", []guise.Setup{{VGIC: 3}, {Features: []guise.Feature{guise.FeaturePMU}}}},
	{"6.1/neoverse-v1", []guise.Setup{{VGIC: 3}, {Features: []guise.Feature{guise.FeaturePAuth, guise.FeatureSVE}, VGIC: 3}}},
	{"6.12/cortex-a53", []guise.Setup{{}, {Features: []guise.Feature{guise.FeatureAArch32, guise.FeaturePMU}, VGIC: 3}}},
	{"6.18/a64fx", []guise.Setup{{Features: []guise.Feature{guise.FeaturePMU, guise.FeatureSVE}, VGIC: 3}}},
	{"7.2/max,mte=on", []guise.Setup{{VGIC: 3}, {Features: []guise.Feature{guise.FeatureMTE, guise.FeaturePAuth, guise.FeaturePMU, guise.FeatureSVE}, VGIC: 3}}},
	{"7.2/max,kvm-arm.mode=nested", []guise.Setup{{Features: []guise.Feature{guise.FeatureEL2}, VGIC: 3}}},
	{"7.2/neoverse-v1,kvm-arm.mode=protected", []guise.Setup{{Protected: true}, {VGIC: 3}}},
}

// capturedAnswers captures each of the hosts, and gives the contract of each setup.
func capturedAnswers(t *testing.T, b *strings.Builder) (hosts []*arm64.Host, contracts []*guise.Contract) {
	t.Helper()
	for _, row := range answeringHosts {
		host, err := arm64.Open(row.name)
		if err != nil {
			t.Fatal(err)
		}
		capture, err := vm.Capture(t.Context(), host, vm.CaptureOptions{Setups: row.setups})
		if err != nil {
			t.Fatal(err)
		}
		capture.Name = row.name
		fmt.Fprintf(b, "# %s: Linux %s, %s, pages of %d, complete %v, view %s\n", row.name, capture.Host.Kernel, capture.Host.Mode, capture.Host.PageSize, capture.Complete, capture.ViewDigest())
		for i := range capture.Setups {
			s := &capture.Setups[i]
			fmt.Fprintf(b, "  %s: %d listed, %d without a name, registers %s, accepts %s, %d bits of IPA, lengths %#b, ranges %#x, %d masks, %d capabilities\n",
				s.Key(), len(s.Listed), len(s.Extra), s.Registers, s.Accepts, s.IPABits, s.VectorLengths, s.MaskRanges, len(s.Masks), len(s.Capabilities))
			policy := &guise.Policy{Protected: s.Protected, With: s.Features, NoVGIC: s.VGIC == 0}
			only := *capture
			only.Setups = capture.Setups[i : i+1]
			result, err := guise.Baseline([]*guise.Capture{&only}, policy)
			if err != nil {
				t.Fatal(err)
			}
			if result.Contract != nil {
				result.Contract.Name = row.name + " " + s.Key()
				contracts = append(contracts, result.Contract)
			}
		}
		hosts = append(hosts, host)
	}
	return hosts, contracts
}

// TestAnswersOfTheModel holds what is captured, refused and seen on hosts of the model
// against what a person read: each contract on each host, and each changed in ways
// that some refuse.
func TestAnswersOfTheModel(t *testing.T) {
	var b strings.Builder
	hosts, contracts := capturedAnswers(t, &b)
	lower := func(name, field string, value uint64) func(*guise.Contract) {
		place, _ := isaarm64.Place(name)
		return func(c *guise.Contract) {
			c.View.Values[place] = isaarm64.Registers[place].Field(field).Put(c.View.Values[place], value)
		}
	}
	changes := []struct {
		name string
		make func(*guise.Contract)
	}{
		{"as it is", func(*guise.Contract) {}}, {"without AES", lower("ID_AA64ISAR0_EL1", "AES", 0)}, {"with more AES", lower("ID_AA64ISAR0_EL1", "AES", 3)},
		{"another MIDR_EL1", lower("MIDR_EL1", "Revision", 7)}, {"PSCI 1.0", lower("PSCI_VERSION", "Version", 0x10000)}, {"PSCI 9.9", lower("PSCI_VERSION", "Version", 0x90009)},
		{"without TRNG", lower("STD_BMAP", "TRNG_V1_0", 0)}, {"another PMUVer", lower("ID_AA64DFR0_EL1", "PMUVer", 1)},
	}
	for i, host := range hosts {
		whole, err := vm.Capture(t.Context(), host, vm.CaptureOptions{})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "# %s, whole: complete %v\n", answeringHosts[i].name, whole.Complete)
		for _, s := range whole.Setups {
			fmt.Fprintf(&b, "  %s with %v\n", s.Key(), s.Setup.Capabilities)
		}
		for _, contract := range contracts {
			own := strings.HasPrefix(contract.Name, answeringHosts[i].name+" ")
			for _, change := range changes {
				if !own && (change.name != "as it is" || contract.Setup.VGIC != 3 || len(contract.Setup.Features) > 0) {
					continue
				}
				c := *contract
				change.make(&c)
				fmt.Fprintf(&b, "# %s on %s, %s\n", contract.Name, answeringHosts[i].name, change.name)
				applyAndProve(t, &b, host, &c)
			}
		}
	}
	golden.Check(t, "answers.txt", b.String())
}

func applyAndProve(t *testing.T, b *strings.Builder, host vm.Host, contract *guise.Contract) {
	t.Helper()
	const most = 5 // findings that are told of each
	machine, applied, err := vm.Apply(t.Context(), host, contract, 2)
	var refused *vm.ApplyError
	switch {
	case errors.As(err, &refused):
		fmt.Fprintf(b, "  refused, %d\n", len(refused.Refusals))
		for _, r := range refused.Refusals[:min(len(refused.Refusals), most)] {
			fmt.Fprintf(b, "    vCPU %d: %v; %s\n", r.VCPU, &r, r.Hint)
		}
	case err != nil:
		fmt.Fprintf(b, "  %v; %s\n", err, vm.HintOf(err))
	default:
		fmt.Fprintf(b, "  %s, %d writes, %d reads\n", applied.Setup.Key(), applied.Writes, applied.Reads)
		if err := machine.Close(); err != nil {
			t.Error(err)
		}
	}
	proof, err := vm.Prove(t.Context(), host, contract, vm.ProveOptions{VCPUs: 2})
	if err != nil {
		fmt.Fprintf(b, "  no proof: %v\n", err)
		return
	}
	fmt.Fprintf(b, "  %v, %d findings\n", proof.Verdict(), len(proof.Findings))
	for i := range proof.Findings[:min(len(proof.Findings), most)] {
		f := &proof.Findings[i]
		fmt.Fprintf(b, "    %v %s %s: want %q, there is %v; who %q, means %q, rests %q; %q\n", f.Verdict, f.Kind, f.Name(), f.Wanted, f.Hosts, f.Who, f.Means, f.Rests, f.Mend)
	}
}

// TestLooksOfTheModel is about VMs that are given nothing, and questions.
func TestLooksOfTheModel(t *testing.T) {
	var b strings.Builder
	hosts, contracts := capturedAnswers(t, &strings.Builder{})
	questions := writes(t, "ID_AA64ISAR0_EL1.AES=0x0", "ID_AA64ISAR0_EL1.AES=0xf", "ID_AA64PFR0_EL1=0x0", "ID_AA64PFR0_EL1.GIC=0x0", "MIDR_EL1=0x1", "CLIDR_EL1=0x0",
		"CCSIDR_EL1[0]=0x0", "PSCI_VERSION=0x10000", "PSCI_VERSION=0x90009", "STD_BMAP=0x0", "VENDOR_HYP_BMAP_2=0x1", "ID_DFR0_EL1.PerfMon=0x0")
	for i, host := range hosts {
		for _, setup := range slices.Concat(answeringHosts[i].setups, []guise.Setup{{Features: []guise.Feature{guise.FeatureSVE}, VGIC: 2}}) {
			fmt.Fprintf(&b, "# %s, %s\n", answeringHosts[i].name, setup.Key())
			proof, err := vm.Prove(t.Context(), host, nil, vm.ProveOptions{Setup: setup})
			if err != nil {
				fmt.Fprintf(&b, "  no proof: %v\n", err)
			} else {
				fmt.Fprintf(&b, "  %v\n", proof.Verdict())
				for i := range proof.Findings {
					f := &proof.Findings[i]
					fmt.Fprintf(&b, "    %v %s %s: want %q, there is %v; means %q\n", f.Verdict, f.Kind, f.Name(), f.Wanted, f.Hosts, f.Means)
				}
			}
			tryInWords(t, &b, host, &vm.Question{Setup: setup, Writes: questions})
		}
		for _, contract := range contracts {
			if strings.HasPrefix(contract.Name, answeringHosts[i].name+" ") {
				fmt.Fprintf(&b, "# %s, given the contract of %s\n", answeringHosts[i].name, contract.Name)
				tryInWords(t, &b, host, &vm.Question{Contract: contract, Writes: questions})
			}
		}
		other := contracts[0]
		fmt.Fprintf(&b, "# %s, given the contract of %s\n", answeringHosts[i].name, other.Name)
		tryInWords(t, &b, host, &vm.Question{Contract: other, Writes: questions[:1]})
	}
	if _, err := vm.Try(t.Context(), hosts[0], &vm.Question{Writes: writes(t, "DCZID_EL0=0x4")}); err == nil || !strings.Contains(err.Error(), "DCZID_EL0: is no register of a contract") {
		t.Errorf("DCZID_EL0: %v", err)
	}
	golden.Check(t, "looks.txt", b.String())
}

func tryInWords(t *testing.T, b *strings.Builder, host vm.Host, question *vm.Question) {
	t.Helper()
	answer, err := vm.Try(t.Context(), host, question)
	if err != nil {
		fmt.Fprintf(b, "  cannot be asked: %v\n", err)
		return
	}
	if answer.NotMade != "" {
		fmt.Fprintf(b, "  not made: %s\n", answer.NotMade)
	}
	for i := range answer.Refusals {
		fmt.Fprintf(b, "  refused: %v\n", &answer.Refusals[i])
	}
	for i := range answer.Changed {
		fmt.Fprintf(b, "  changed: %v\n", &answer.Changed[i])
	}
	for i, w := range answer.Writes {
		fmt.Fprintf(b, "  %v: %+v\n", question.Writes[i], w)
	}
}

// lying is a host of the model whose guests are told something else by some reads
// and calls.
type lying struct {
	*arm64.Host
	tells func(op *probe.Op, record *probe.Record)
}

func (h *lying) NewVM(ctx context.Context, setup guise.Setup, vcpus int) (vm.VM, error) {
	machine, err := h.Host.NewVM(ctx, setup, vcpus)
	if err != nil {
		return nil, err
	}
	return &lyingVM{machine.(*arm64.VM), h}, nil
}

type lyingVM struct {
	*arm64.VM
	host *lying
}

func (m *lyingVM) Run(ctx context.Context, vcpu int, program *probe.Program) (*probe.Trace, error) {
	trace, err := m.VM.Run(ctx, vcpu, program)
	if err == nil && vcpu == 0 {
		for i := range trace.Records {
			m.host.tells(&program.Ops[i], &trace.Records[i])
		}
	}
	return trace, err
}

// TestLiesAreFound: whatever a guest is told that the contract does not say is a
// finding, and what it was not told is not known.
func TestLiesAreFound(t *testing.T) {
	var b strings.Builder
	const name = "7.2/neoverse-v1"
	model, err := arm64.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	setup := guise.Setup{VGIC: 3}
	capture, err := vm.Capture(t.Context(), model, vm.CaptureOptions{Setups: []guise.Setup{setup}})
	if err != nil {
		t.Fatal(err)
	}
	result, err := guise.Baseline([]*guise.Capture{capture}, nil)
	if err != nil || result.Contract == nil {
		t.Fatalf("%v, %v", result, err)
	}
	usual, withExtra := *result.Contract, *result.Contract
	extra, err := isaarm64.ParseEncoding("S3_1_C0_C0_3")
	if _, known := isaarm64.PlaceOf(extra.ID()); known || err != nil {
		t.Fatalf("%v is in the table, %v", extra, err)
	}
	truth := map[string]bool{} // what is found where nobody lies
	withExtra.Absent = slices.DeleteFunc(slices.Clone(usual.Absent), func(id isaarm64.ID) bool { return id == extra.ID() })
	withExtra.Extra = map[isaarm64.ID]uint64{extra.ID(): 0}
	for _, name := range []string{
		"nothing", "ID_AA64ISAR0_EL1", "CTR_EL0", "MIDR_EL1", "MPIDR_EL1", "DCZID_EL0", "CCSIDR_EL1[0]", "S3_0_C0_C7_7", "S3_1_C0_C0_3", "S3_3_C0_C1_0", "PSCI_VERSION", "SMCCC_VERSION",
		"SMCCC_ARCH_FEATURES(0x80008000)", "SMCCC_ARCH_FEATURES(0x80007fff)", "SMCCC_ARCH_FEATURES(0x80003fff)", "TRNG_VERSION", "SMCCC_ARCH_FEATURES(0xc5000020)", "PV_TIME_ST", "KVM_FEATURES",
		"KVM_PTP(virtual)", "FEAT_AES", "FEAT_SVE",
	} {
		for _, lie := range []struct {
			what string
			tell func(r *probe.Record)
		}{
			{"one more", func(r *probe.Record) { r.Outcome = probe.Completed; r.Values[0]++ }},
			{"all bits", func(r *probe.Record) { r.Outcome = probe.Completed; r.Values[0] = ^uint64(0) }},
			{"nothing", func(r *probe.Record) { r.Outcome = probe.NotRun; r.Values[0] = 0 }},
			{"an exception", func(r *probe.Record) { r.Outcome, r.Syndrome = probe.Exception, 0x2000000 }},
		} {
			met := 0
			host := &lying{model, func(op *probe.Op, r *probe.Record) {
				if op.Name == name {
					met++
					lie.tell(r)
				}
			}}
			contract := &usual
			if name == extra.String() {
				contract = &withExtra
			}
			proof, err := vm.Prove(t.Context(), host, contract, vm.ProveOptions{VCPUs: 2})
			fmt.Fprintf(&b, "# %s tells %s, %d times: ", name, lie.what, met)
			if err != nil {
				fmt.Fprintf(&b, "%v\n", err)
				continue
			}
			fmt.Fprintf(&b, "%v\n", proof.Verdict())
			for i := range proof.Findings {
				f := &proof.Findings[i]
				text := fmt.Sprintf("  %v %s %s: want %q, there is %v; who %q, means %q, rests %q\n", f.Verdict, f.Kind, f.Name(), f.Wanted, f.Hosts, f.Who, f.Means, f.Rests)
				if !truth[text] {
					b.WriteString(text)
				}
				truth[text] = truth[text] || name == "nothing"
			}
		}
	}
	golden.Check(t, "lies.txt", b.String())
}

func TestTaken(t *testing.T) {
	for _, row := range []struct {
		written vm.Written
		taken   bool
	}{
		{vm.Written{Stored: 1, Shown: 1}, true}, {vm.Written{Stored: 1, Shown: 0}, false}, {vm.Written{Stored: 0, Shown: 1}, false}, {vm.Written{}, false},
		{vm.Written{Errno: syscall.EINVAL, Stored: 1, Shown: 1}, false},
	} {
		if got := row.written.Taken(1); got != row.taken {
			t.Errorf("%+v of 1: taken %v", row.written, got)
		}
	}
}
