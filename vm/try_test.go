package vm_test

import (
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/vm"
)

const (
	el0 = "ID_AA64PFR0_EL1.EL0" // 2 on the fake
	gic = "ID_AA64PFR0_EL1.GIC"
)

// writes makes writes from their text.
func writes(t *testing.T, texts ...string) []vm.Write {
	t.Helper()
	document := `{"schema":"guise/questions/v1","questions":[{"setup":{"vgic":0},"writes":["` + strings.Join(texts, `","`) + `"]}]}`
	questions, err := vm.ReadQuestions("q.json", []byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return questions[0].Writes
}

func TestTrySaysWhatBecomesOfEachValue(t *testing.T) {
	host := fake()
	// A field that the first run clears, as KVM does to GIC without a vGIC.
	host.Limits[pfr0] |= 1 << 24
	host.AfterRun = func(id arm64.ID, value uint64) uint64 {
		if id == pfr0 {
			value &^= 0xf << 24
		}
		return value
	}
	question := vm.Question{Writes: writes(t, el0+"=0x1", el0+"=0x3", el0+"=0x0", gic+"=0x1", gic+"=0x0", "ID_AA64PFR0_EL1=0x0", "MIDR_EL1=0x1")}
	answer, err := vm.Try(t.Context(), host, &question)
	if err != nil {
		t.Fatal(err)
	}
	want := []vm.Written{
		{Stored: 1, Shown: 1}, {Errno: syscall.EINVAL}, {}, {Stored: 1}, {}, {}, {Errno: syscall.ENOENT},
	}
	if diff := cmp.Diff(want, answer.Writes); diff != "" {
		t.Error(diff)
	}
}

func TestTryAppliesTheContractFirst(t *testing.T) {
	host := &watched{Fake: fake()}
	contract := contractOf(t, map[arm64.ID]uint64{pfr0: 0x1101_0000_1111_0112, isar0: 0x0000_1111_1021_1120})
	question := vm.Question{Contract: contract, Writes: writes(t, "ID_AA64ISAR0_EL1.SHA2=0x2", "ID_AA64ISAR0_EL1.SHA2=0x3")}
	answer, err := vm.Try(t.Context(), host, &question)
	if err != nil {
		t.Fatal(err)
	}
	want := &vm.Answer{Writes: []vm.Written{{Stored: 2, Shown: 2}, {Errno: syscall.EINVAL}}}
	if diff := cmp.Diff(want, answer); diff != "" {
		t.Error(diff)
	}

	// What the first run changes of a contract is not what was promised.
	host.AfterRun = func(id arm64.ID, value uint64) uint64 { return value &^ 0xf }
	question.Writes = nil
	if answer, err = vm.Try(t.Context(), host.Fake, &question); err != nil {
		t.Fatal(err)
	}
	if len(answer.Changed) != 1 || answer.Changed[0].Name() != el0 || answer.Changed[0].Wanted != 2 || answer.Changed[0].There != 0 {
		t.Errorf("changed %v, want %s from 2 to 0", answer.Changed, el0)
	}

	question.Contract = contractOf(t, map[arm64.ID]uint64{pfr0: 0x1101_0000_1111_0113, isar0: 0x0000_1111_1021_1120})
	if answer, err = vm.Try(t.Context(), host, &question); err != nil {
		t.Fatal(err)
	}
	if len(answer.Refusals) != 1 || answer.Refusals[0].Name() != el0 || answer.Refusals[0].Errno != syscall.EINVAL || answer.Writes != nil {
		t.Errorf("a contract above the host's: %+v", answer)
	}
	if host.open != 0 {
		t.Errorf("%d VMs are still open", host.open)
	}
}

func TestTryOfASetupThatIsNotMade(t *testing.T) {
	question := vm.Question{Setup: guise.Setup{Features: []guise.Feature{guise.FeatureSVE}}, Writes: writes(t, el0+"=0x1")}
	answer, err := vm.Try(t.Context(), fake(), &question)
	if err != nil || answer.NotMade == "" || answer.Writes != nil {
		t.Errorf("%+v, %v; the fake has no SVE", answer, err)
	}
}

func TestTryRefusesQuestionsThatMeanNothing(t *testing.T) {
	for _, text := range []string{"ID_AA64PFR0_EL1.NONE=0x1", "NONE_EL1=0x1", "MPIDR_EL1=0x1", el0 + "=0x10"} {
		question := vm.Question{Writes: writes(t, text)}
		if answer, err := vm.Try(t.Context(), fake(), &question); err == nil {
			t.Errorf("%s: %+v", text, answer)
		}
	}
}

func TestQuestionsAndAnswersReadBack(t *testing.T) {
	contract := contractOf(t, map[arm64.ID]uint64{pfr0: 0x1101_0000_1111_0112})
	contract.Name = "contract"
	questions := []vm.Question{
		{Contract: contract, Writes: writes(t, el0+"=0x1", "MIDR_EL1=0x413fd0c1")},
		{Setup: guise.Setup{Features: []guise.Feature{guise.FeaturePMU}, VGIC: 3, Capabilities: []string{"KVM_CAP_ARM_WRITABLE_IMP_ID_REGS"}}},
	}
	data, err := vm.MarshalQuestions(questions)
	if err != nil {
		t.Fatal(err)
	}
	read, err := vm.ReadQuestions("q.json", data)
	if err != nil {
		t.Fatal(err)
	}
	if read[0].Contract.Digest() != contract.Digest() {
		t.Error("the contract reads back as another one")
	}
	read[0].Contract, questions[0].Contract = nil, nil
	if !reflect.DeepEqual(read, questions) {
		t.Errorf("%+v reads back as %+v", questions, read)
	}

	answers := []vm.Answer{
		{NotMade: "no such VM"},
		{Refusals: []vm.Refusal{{Register: "ID_AA64MMFR2_EL1", Field: "NV", Wanted: 2, Errno: syscall.EINVAL}, {Register: "MIDR_EL1", Wanted: 1, There: 2}}},
		{
			Changed: []vm.Refusal{{Register: "ID_AA64PFR0_EL1", Field: "GIC", Wanted: 1}},
			Writes:  []vm.Written{{Stored: 1, Shown: 1}, {Errno: syscall.EBUSY}, {Stored: 1}, {}, {Errno: 95}},
		},
	}
	if data, err = vm.MarshalAnswers("kvm", answers); err != nil {
		t.Fatal(err)
	}
	host, gotten, err := vm.ReadAnswers("a.json", data)
	if err != nil || host != "kvm" {
		t.Fatal(host, err)
	}
	if diff := cmp.Diff(answers, gotten); diff != "" {
		t.Error(diff)
	}
}

func FuzzReadQuestions(f *testing.F) {
	f.Add([]byte(`{"schema":"guise/questions/v1","questions":[{"setup":{"features":["pmu"],"vgic":3},"writes":["MIDR_EL1=0x1","ID_AA64PFR0_EL1.EL0=0x2"]}]}`))
	f.Add([]byte(`{"schema":"guise/questions/v1","questions":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		questions, err := vm.ReadQuestions("q.json", data)
		if (err == nil) == (questions == nil) {
			t.Fatalf("%v and %v", questions, err)
		}
		if err != nil {
			return
		}
		written, err := vm.MarshalQuestions(questions)
		if err != nil {
			t.Fatal(err)
		}
		again, err := vm.ReadQuestions("q.json", written)
		if err != nil {
			t.Fatalf("%v\n%s", err, written)
		}
		if rewritten, err := vm.MarshalQuestions(again); err != nil || string(rewritten) != string(written) {
			t.Errorf("%s is written again as %s, %v", written, rewritten, err)
		}
	})
}

func FuzzReadAnswers(f *testing.F) {
	f.Add([]byte(`{"schema":"guise/answers/v1","host":"kvm","answers":[{"writes":["0x1","0x1 then 0x0","EINVAL","errno 95"]},{"refusals":[{"register":"MIDR_EL1","there":"0x0","wanted":"0x1"}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		host, answers, err := vm.ReadAnswers("a.json", data)
		if err != nil {
			return
		}
		written, err := vm.MarshalAnswers(host, answers)
		if err != nil {
			t.Fatal(err)
		}
		if _, again, err := vm.ReadAnswers("a.json", written); err != nil || !cmp.Equal(answers, again) {
			t.Errorf("%s reads back as %v, %v", written, again, err)
		}
	})
}
