package power

import (
	"encoding/binary"
	"strings"
	"testing"

	isapower "github.com/guise-project/guise/isa/power"
	kvmpower "github.com/guise-project/guise/kvm/power"
	model "github.com/guise-project/guise/model/power"
)

func testHost(t *testing.T, kernel string) Host {
	t.Helper()
	g, _, err := model.FindGeneration(kernel)
	if err != nil {
		t.Fatal(err)
	}
	return Host{Generation: g, Level: isapower.Level31, Permitted: model.Permitted{Available: g.Permitted(isapower.Level31, false), Emulated: isapower.MSGP}}
}

// asPredicted is the result of a kernel that does what the model says.
func asPredicted(c *Case, p Prediction) Result {
	order := binary.ByteOrder(binary.LittleEndian)
	if c.BigEndian {
		order = binary.BigEndian
	}
	r := Result{Name: c.Name, Outcome: kvmpower.Outcome{R3: p.Ended.R3, Watchdog: c.Spin, Structure: make([]byte, isapower.StateSizeV2), Regs: make([]byte, isapower.RegsCCR+8)}}
	for _, row := range isapower.StateLayout {
		if row.Size == 4 {
			order.PutUint32(r.Structure[row.Offset:], uint32(p.Ended.State.Structure[row.Field]))
		} else {
			order.PutUint64(r.Structure[row.Offset:], p.Ended.State.Structure[row.Field])
		}
	}
	for n := range 32 {
		order.PutUint64(r.Regs[8*n:], kvmpower.GPR(n))
	}
	order.PutUint64(r.Regs[isapower.RegsMSR:], p.Ended.State.MSR)
	nip := uint64(kvmpower.CodeAddress)
	if writtenBack(&p.Ended) {
		if nip = c.NIP; p.Ended.R3 == isapower.VectorSystemCall {
			nip = c.AfterCall
		}
	}
	order.PutUint64(r.Regs[isapower.RegsNIP:], nip)
	return r
}

// TestCompareSeesEveryValue flips one bit of each thing that comes back, for
// every case: each must be noticed.
func TestCompareSeesEveryValue(t *testing.T) {
	h := testHost(t, "7.2")
	for _, c := range Cases(h) {
		p, err := Predict(h, &c, 0x004000000454f41f)
		if err != nil {
			t.Fatal(err)
		}
		good := asPredicted(&c, p)
		if differences, n := Compare(&c, p, &good); len(differences) != 0 || n < 45 {
			t.Fatalf("%s: %d compared, %v", c.Name, n, differences)
		}
		notice := func(what string, change func(*Result)) {
			bad := asPredicted(&c, p)
			change(&bad)
			if differences, _ := Compare(&c, p, &bad); len(differences) == 0 {
				t.Errorf("%s: %s was not noticed", c.Name, what)
			}
		}
		for _, row := range isapower.StateLayout {
			if notCompared[row.Field] == "" {
				notice(row.Name, func(r *Result) { r.Structure[row.Offset+row.Size-1] ^= 0x10 })
			}
		}
		notice("r3", func(r *Result) { r.R3 ^= 0x10 })
		notice("msr", func(r *Result) { r.Regs[isapower.RegsMSR+3] ^= 1 })
		notice("nip", func(r *Result) { r.Regs[isapower.RegsNIP+3] ^= 1 })
		notice("r20", func(r *Result) { r.Regs[20*8+3] ^= 1 })
		notice("the watchdog", func(r *Result) { r.Watchdog = !r.Watchdog })
		notice("an error", func(r *Result) { r.Error = "KVM_RUN: input/output error" })
		if !c.Spin {
			continue
		}
		sample := Sample{Registers: map[string]uint64{}}
		for _, r := range realRegisters {
			sample.Registers[r.name] = p.Entered.Real[r.field]
		}
		if differences, n := CompareReal(&c, p, sample); len(differences) != 0 || n != len(realRegisters) {
			t.Errorf("%s: %d real registers compared, %v", c.Name, n, differences)
		}
		for _, r := range realRegisters {
			sample.Registers[r.name] ^= 0x10
			if differences, _ := CompareReal(&c, p, sample); len(differences) != 1 {
				t.Errorf("%s: real %s was not noticed", c.Name, r.name)
			}
			sample.Registers[r.name] ^= 0x10
		}
		if differences, _ := CompareReal(&c, p, Sample{Error: "never seen"}); len(differences) != 1 {
			t.Errorf("%s: that no sample was taken was not noticed", c.Name)
		}
	}
}

// TestCases: at least 60 can be tested, in each byte order, under distinct
// names; what cannot be has a reason.
func TestCases(t *testing.T) {
	for _, kernel := range []string{"7.2", "6.12", "6.1"} {
		h := testHost(t, kernel)
		testable := map[bool]int{}
		names := map[string]bool{}
		for _, c := range Cases(h) {
			if names[c.Name] {
				t.Errorf("two cases are named %q", c.Name)
			}
			names[c.Name] = true
			if len(c.Code)*4 > codeLimit {
				t.Errorf("%s: %d instructions", c.Name, len(c.Code))
			}
			if c.NotTestable == "" {
				testable[c.BigEndian]++
			}
		}
		if testable[false] < 60 || testable[true] < 60 {
			t.Errorf("%s: %d little-endian and %d big-endian cases can be tested, want 60 of each", kernel, testable[false], testable[true])
		}
	}
}

// codeLimit is where tables of L2 begin, far beyond any code.
const codeLimit = 0x1000

func TestSamplerReadsLines(t *testing.T) {
	s := NewSampler(2)
	for _, part := range []string{"spi", "n one\nspin two", "\n"} {
		if n, err := s.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if a, b := <-s.names, <-s.names; a != "spin one" || b != "spin two" {
		t.Errorf("%q, %q", a, b)
	}
	if _, err := s.Write([]byte("1\n2\n3\n")); err == nil || !strings.Contains(err.Error(), "more lines") {
		t.Errorf("%v", err)
	}
}

// TestLookTellsL2FromOthers: the CPU is stopped and goes on whatever is found.
func TestLookTellsL2FromOthers(t *testing.T) {
	for _, c := range []struct {
		nip, lpid string
		want      bool
	}{
		{"0x1000", "0x2", true}, {"0x1000", "0x0", false}, {"0xc000000000001000", "0x2", false},
	} {
		var asked []string
		registers, err := look(func(command string) (string, error) {
			asked = append(asked, command)
			switch command {
			case "p/x $nip":
				return c.nip + "\r\n", nil
			case "p/x $lpidr":
				return c.lpid + "\r\n", nil
			case "stop", "cont":
				return "", nil
			}
			return "0x77\r\n", nil
		})
		if err != nil || (registers != nil) != c.want {
			t.Errorf("nip %s, lpidr %s: %v, %v", c.nip, c.lpid, registers, err)
		}
		if asked[0] != "stop" || asked[len(asked)-1] != "cont" {
			t.Errorf("asked %v", asked)
		}
		if c.want && registers["hfscr"] != 0x77 {
			t.Errorf("hfscr %#x", registers["hfscr"])
		}
	}
	if _, err := look(func(string) (string, error) { return "garbage", nil }); err == nil {
		t.Error("garbage was taken for a number")
	}
}
