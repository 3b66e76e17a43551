package trial_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/testenv"
	isa "github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/lab/trial"
	model "github.com/guise-project/guise/model/arm64"
	"github.com/guise-project/guise/vm"
)

// models are hosts of the reference model, with captures of them.
func models(t *testing.T, names ...string) (hosts []vm.Host, captures []*guise.Capture) {
	t.Helper()
	for _, name := range names {
		host, err := model.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		capture, err := vm.Capture(t.Context(), host, vm.CaptureOptions{})
		if err != nil {
			t.Fatal(err)
		}
		hosts, captures = append(hosts, host), append(captures, capture)
	}
	return hosts, captures
}

// ask puts a plan's questions to hosts of this process.
func ask(t *testing.T, plan *trial.Plan, hosts []vm.Host) [][]vm.Answer {
	t.Helper()
	answers := make([][]vm.Answer, len(hosts))
	for i, host := range hosts {
		questions := plan.Questions(i)
		for q := range questions {
			answer, err := vm.Try(t.Context(), host, &questions[q])
			if err != nil {
				t.Fatal(err)
			}
			answers[i] = append(answers[i], *answer)
		}
	}
	return answers
}

// planned adds every pair of the captures, and random subsets.
func planned(t *testing.T, captures []*guise.Capture) *trial.Plan {
	t.Helper()
	plan := trial.NewPlan(captures)
	groups := trial.Pairs(len(captures))
	if len(captures) > 2 {
		groups = append(groups, trial.Subsets(len(captures), 10, rand.New(rand.NewPCG(1, 0)))...)
	}
	for _, group := range groups {
		if _, err := plan.Add(group, nil, true); err != nil {
			t.Fatal(err)
		}
	}
	return plan
}

// TestBaselinesHoldOnTheModel is TestLiveBaselinesHold without kernels.
func TestBaselinesHoldOnTheModel(t *testing.T) {
	hosts, captures := models(t, "5.10/neoverse-n1", "6.1/neoverse-n1", "6.12/neoverse-n1", "7.2/neoverse-n1", "6.12/neoverse-v1", "7.2/neoverse-v1", "6.12/max", "7.2/max")
	plan := planned(t, captures)
	counts, disagreements, err := plan.Judge(ask(t, plan, hosts))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(counts)
	if counts.Contracts == 0 || counts.Applications == 0 || counts.Raises == 0 || counts.Conflicts == 0 || counts.Refusals == 0 {
		t.Errorf("nothing was put to the hosts: %v", counts)
	}
	for i := range disagreements {
		t.Error(disagreements[i].String())
	}
}

// liar is a host that does one thing otherwise than its capture says.
type liar struct {
	vm.Host
	set func(machine vm.VM, id isa.ID, value uint64) error
}

type liarVM struct {
	vm.VM
	host *liar
}

func (l *liar) NewVM(ctx context.Context, setup guise.Setup, vcpus int) (vm.VM, error) {
	machine, err := l.Host.NewVM(ctx, setup, vcpus)
	if err != nil {
		return nil, err
	}
	return &liarVM{machine, l}, nil
}

func (m *liarVM) Set(_ int, id isa.ID, value uint64) error { return m.host.set(m.VM, id, value) }

// TestDisagreementsAreFound: a judge that agrees with everything would hold
// nothing.
func TestDisagreementsAreFound(t *testing.T) {
	refuse := func(id isa.ID, errno syscall.Errno) error {
		return &vm.RegisterError{Op: "set", ID: id, Name: id.String(), Errno: errno}
	}
	for name, test := range map[string]struct {
		set  func(machine vm.VM, id isa.ID, value uint64) error
		want string
	}{
		"refuses what the contract lowers": {
			func(machine vm.VM, id isa.ID, value uint64) error {
				if id.String() == "PSCI_VERSION" {
					return refuse(id, syscall.EINVAL)
				}
				return machine.Set(0, id, value)
			}, "PSCI_VERSION.Version: predicted taken, got EINVAL",
		},
		"answers with another errno": {
			func(machine vm.VM, id isa.ID, value uint64) error {
				err := machine.Set(0, id, value)
				if err != nil && id.String() == "ID_AA64ISAR0_EL1" {
					return refuse(id, syscall.EPERM)
				}
				return err
			}, "predicted EINVAL, got EPERM",
		},
		"ignores writes": {
			func(machine vm.VM, id isa.ID, value uint64) error {
				if id.String() == "ID_AA64MMFR0_EL1" {
					return nil
				}
				return machine.Set(0, id, value)
			}, "predicted EINVAL, got 0x",
		},
	} {
		t.Run(name, func(t *testing.T) {
			hosts, captures := models(t, "6.12/neoverse-n1", "7.2/neoverse-n1")
			plan := planned(t, captures)
			hosts[1] = &liar{hosts[1], test.set}
			_, disagreements, err := plan.Judge(ask(t, plan, hosts))
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for i := range disagreements {
				lines = append(lines, disagreements[i].String())
			}
			if !slices.ContainsFunc(lines, func(line string) bool {
				return strings.Contains(line, captures[1].Name) && strings.Contains(flatten(line), test.want)
			}) {
				t.Errorf("no disagreement says %q: %q", test.want, lines)
			}
		})
	}
}

// flatten leaves out the value of a disagreement about one.
func flatten(line string) string {
	name, rest, _ := strings.Cut(line, " = 0x")
	_, rest, _ = strings.Cut(rest, ": ")
	return name + ": " + rest
}

// TestAContractThatCouldShowMoreIsFound: where every host takes a value that the
// captures do not tell of, no member refuses the raised field.
func TestAContractThatCouldShowMoreIsFound(t *testing.T) {
	hosts, captures := models(t, "6.12/neoverse-n1", "7.2/neoverse-n1")
	plan := planned(t, captures)
	answers := ask(t, plan, hosts)
	for host := range answers {
		for q := range answers[host] {
			for w := range answers[host][q].Writes {
				value := plan.Questions(host)[q].Writes[w].Value
				answers[host][q].Writes[w] = vm.Written{Stored: value, Shown: value}
			}
		}
	}
	_, disagreements, err := plan.Judge(answers)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(disagreements, func(d trial.Disagreement) bool { return d.Got == "taken by all" }) {
		t.Errorf("%d disagreements, and none says that all took a value", len(disagreements))
	}
}

// fromLab are the catalogue's captures from the lab.
func fromLab(t *testing.T) []*guise.Capture {
	t.Helper()
	var captures []*guise.Capture
	for _, name := range catalog.Names() {
		if !strings.HasPrefix(name, "qemu10-") {
			continue
		}
		capture, err := catalog.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		captures = append(captures, capture)
	}
	if len(captures) == 0 {
		t.Fatal("the catalogue has no capture from the lab")
	}
	return captures
}

// TestProfilesDeriveWhatWasTried holds what package kernel derives against what
// kernels took, field by field.
func TestProfilesDeriveWhatWasTried(t *testing.T) { deriveWhatWasTried(t, fromLab(t)) }

func deriveWhatWasTried(t *testing.T, captures []*guise.Capture) {
	t.Helper()
	total, different := 0, 0
	for _, capture := range captures {
		differences, compared, err := trial.CompareOffers(capture)
		if err != nil {
			t.Fatal(err)
		}
		if compared == 0 {
			t.Errorf("%s: nothing in it was tried", capture.Name)
		}
		total += compared
		different += len(differences)
		for i, d := range differences {
			if i == 20 {
				t.Errorf("%s: and %d more", capture.Name, len(differences)-i)
				break
			}
			t.Error(d)
		}
	}
	testenv.Figure(t, "offers: %d sets compared, %d differ", total, different)
}

// TestProtectedSetupsOfTheModel: what is derived of protected VMs, whose guests
// see little of what userspace writes, against what is tried on the model.
func TestProtectedSetupsOfTheModel(t *testing.T) {
	_, captures := models(t, "7.2/neoverse-v1,kvm-arm.mode=protected")
	if captures[0].Setup("pauth+protected/vgic3") == nil {
		t.Fatal("no protected setup is captured")
	}
	deriveWhatWasTried(t, captures)
}

func TestCompareOffersFindsADifference(t *testing.T) {
	_, captures := models(t, "7.2/neoverse-n1")
	captures[0].Host.Kernel = "6.12"
	differences, _, err := trial.CompareOffers(captures[0])
	if err != nil || len(differences) == 0 {
		t.Errorf("7.2 takes what 6.12 takes: %v", err)
	}
}

// TestWhoHasAContract: pairs of unlike kernels, and what stands against a
// contract where there is none. The live test puts all of it to the kernels.
func TestWhoHasAContract(t *testing.T) {
	captures := map[string]*guise.Capture{}
	for _, c := range fromLab(t) {
		captures[strings.TrimPrefix(c.Name, "qemu10-")] = c
	}
	for _, test := range []struct {
		a, b string
		// what stands against a contract, or what is settled where there is one
		against, settled string
	}{
		{"neoverse-n1@6.12", "neoverse-n1@7.2", "", "PSCI_VERSION.Version"},
		{"a64fx@6.12", "a64fx@7.2", "", "PSCI_VERSION.Version"},
		{"neoverse-v1@6.12", "neoverse-v1@7.2", "ID_AA64MMFR2_EL1.NV", ""},
		{"neoverse-n1@5.10", "neoverse-n1@6.1", "ID_AA64DFR0_EL1.DebugVer", ""},
	} {
		result, err := guise.Baseline([]*guise.Capture{captures[test.a], captures[test.b]}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var against, settled []string
		for i := range result.Findings {
			if f := &result.Findings[i]; f.Verdict == guise.No {
				against = append(against, f.Name())
			}
		}
		if got := strings.Join(against, " "); got != test.against || (result.Contract != nil) != (test.against == "") {
			t.Errorf("%s and %s: %v, against a contract stands %q, want %q", test.a, test.b, result.Verdict, got, test.against)
		}
		for _, s := range result.Settled {
			settled = append(settled, s.Register+"."+s.Field)
		}
		if got := strings.Join(settled, " "); test.settled != "" && got != test.settled {
			t.Errorf("%s and %s: settled are %q, want %q", test.a, test.b, got, test.settled)
		}
	}
}
