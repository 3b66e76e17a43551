package power_test

import (
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/guise-project/guise/isa/power"
)

// facts is testdata/hfscr.json: what was read out of Linux and observed,
// written down apart from the tables under test.
type facts struct {
	SPR  uint16 `json:"spr"`
	Bits []struct {
		Bit      uint8  `json:"bit"`
		IBMBit   uint8  `json:"ibm_bit"`
		Mask     string `json:"mask"`
		Name     string `json:"name"`
		Cause    uint8  `json:"cause"`
		InIC     string `json:"cause_in_ic_field"`
		SinceISA string `json:"since_isa"`
	} `json:"bits"`
	FSCR struct {
		Bits []string `json:"bits_in_fscr_defined_by_linux"`
		SPR  uint16   `json:"spr"`
	} `json:"fscr_same_numbering"`
	Permitted struct {
		Observed   map[string]string `json:"observed"`
		Calculated map[string]string `json:"with_tm_calculated"`
	} `json:"linux_hfscr_permitted"`
	Traps map[string]string `json:"traps"`
	PCR   struct {
		Table []struct {
			Host  string `json:"host"`
			Guest string `json:"guest"`
			Low   string `json:"pcr_low"`
		} `json:"table"`
	} `json:"pcr"`
	State struct {
		Fields []struct {
			Name    string `json:"name"`
			Offset  uint16 `json:"offset"`
			Size    uint16 `json:"size"`
			Version uint8  `json:"version"`
		} `json:"fields"`
		SizeV1 int `json:"size_v1"`
		SizeV2 int `json:"size_v2"`
	} `json:"hv_guest_state"`
}

func readFacts(t *testing.T) *facts {
	t.Helper()
	data, err := os.ReadFile("testdata/hfscr.json")
	if err != nil {
		t.Fatal(err)
	}
	var f facts
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	return &f
}

func hex(t *testing.T, text string) uint64 {
	t.Helper()
	v, err := strconv.ParseUint(text, 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestFacilitiesAgreeWithFacts(t *testing.T) {
	f := readFacts(t)
	seen := 0
	for _, row := range power.Facilities {
		if !row.HFSCR {
			continue
		}
		if seen >= len(f.Bits) {
			t.Fatalf("%s: more facilities than the facts have", row.Name)
		}
		want := f.Bits[seen]
		seen++
		if row.Name != want.Name || row.Bit != want.Bit || row.Mask() != hex(t, want.Mask) ||
			63-row.Bit != want.IBMBit || row.BitSince.String() != want.SinceISA {
			t.Errorf("%s bit %d since %v: want %+v", row.Name, row.Bit, row.BitSince, want)
		}
		if row.Bit != want.Cause {
			t.Errorf("%s: cause %d is not bit number %d", row.Name, want.Cause, row.Bit)
		}
		if got := power.WithCause(0, row.Bit); got != hex(t, want.InIC) {
			t.Errorf("%s: cause in the IC field is %#x, want %s", row.Name, got, want.InIC)
		}
	}
	if seen != len(f.Bits) {
		t.Errorf("%d facilities have an HFSCR bit, want %d", seen, len(f.Bits))
	}
	var fscr []string
	for _, row := range power.Facilities {
		if row.FSCR {
			fscr = append(fscr, row.Name+"("+strconv.Itoa(int(row.Bit))+")")
		}
	}
	if diff := cmp.Diff(f.FSCR.Bits, fscr); diff != "" {
		t.Errorf("FSCR bits (-want +got):\n%s", diff)
	}
}

func TestFacilitiesAreSound(t *testing.T) {
	var mask, hfscr uint64
	names := map[string]bool{}
	for i, row := range power.Facilities {
		if mask&row.Mask() != 0 || row.Mask()&power.CauseMask != 0 {
			t.Errorf("%s: bit %d is used twice or lies in the cause field", row.Name, row.Bit)
		}
		mask |= row.Mask()
		if row.HFSCR {
			hfscr |= row.Mask()
		}
		if names[row.Name] || row.About == "" || row.BitSince == 0 || row.Introduced == 0 || row.Introduced > row.BitSince {
			t.Errorf("%s: not unique or incomplete: %+v", row.Name, row)
		}
		names[row.Name] = true
		if i > 0 && power.Facilities[i-1].Bit >= row.Bit {
			t.Errorf("%s: out of order", row.Name)
		}
		byName, ok := power.FacilityNamed(row.Name)
		byCause, ok2 := power.FacilityOfCause(row.Bit)
		if !ok || !ok2 || byName.Bit != row.Bit || byCause.Name != row.Name {
			t.Errorf("%s: not found by name or cause", row.Name)
		}
	}
	if hfscr != power.Defined {
		t.Errorf("Defined is %#x, the table has %#x", power.Defined, hfscr)
	}
	constants := map[string]uint64{"FP": power.FP, "VECVSX": power.VECVSX, "DSCR": power.DSCR, "PM": power.PM, "BHRB": power.BHRB,
		"TM": power.TM, "EBB": power.EBB, "TAR": power.TAR, "MSGP": power.MSGP, "PREFIX": power.PREFIX}
	for name, value := range constants {
		if f, ok := power.FacilityNamed(name); !ok || f.Mask() != value {
			t.Errorf("constant %s is %#x, not its table row's", name, value)
		}
	}
	for cause := range 256 {
		f, ok := power.FacilityOfCause(uint8(cause))
		if ok && power.CauseBit(uint8(cause)) != f.Mask() {
			t.Errorf("cause %d: bit %#x, want %#x", cause, power.CauseBit(uint8(cause)), f.Mask())
		}
		if power.CauseBit(uint8(cause))&power.CauseMask != 0 {
			t.Errorf("cause %d stands for a bit of the cause field", cause)
		}
	}
}

func TestHidden(t *testing.T) {
	for _, c := range []struct {
		level power.Level
		want  uint64
	}{
		{power.Level205, power.Defined &^ (power.FP | power.VECVSX)},
		{power.Level206, power.Defined &^ (power.FP | power.VECVSX)},
		{power.Level206Plus, power.Defined &^ (power.FP | power.VECVSX)},
		{power.Level207, power.PREFIX},
		{power.Level30, power.PREFIX},
		{power.Level31, power.TM},
		{power.Level31P11, power.TM},
	} {
		if got := power.Hidden(c.level); got != c.want {
			t.Errorf("%v hides %#x, want %#x", c.level, got, c.want)
		}
	}
}

func TestPermitted(t *testing.T) {
	f := readFacts(t)
	for _, c := range []struct {
		host          power.Level
		transactional bool
		want          string
	}{
		{power.Level30, false, f.Permitted.Observed["qemu_powernv9"]},
		{power.Level31, false, f.Permitted.Observed["qemu_powernv10"]},
		{power.Level30, true, f.Permitted.Calculated["power9_tm"]},
	} {
		if got := power.Permitted(c.host, c.transactional); got != hex(t, c.want) {
			t.Errorf("%v, transactional %v: %#x, want %s", c.host, c.transactional, got, c.want)
		}
	}
}

func TestPCR(t *testing.T) {
	f := readFacts(t)
	if len(f.PCR.Table) != 10 {
		t.Fatalf("the facts have %d rows, want 10", len(f.PCR.Table))
	}
	for _, row := range f.PCR.Table {
		host, err := power.ParseLevel(row.Host)
		if err != nil {
			t.Fatal(err)
		}
		guest, err := power.ParseLevel(row.Guest)
		if err != nil {
			t.Fatal(err)
		}
		got, err := power.PCR(host, guest)
		if row.Low == "EINVAL" {
			if err == nil {
				t.Errorf("%v on %v: want a refusal, got %#x", guest, host, got)
			}
			continue
		}
		if want := hex(t, row.Low) | power.PCRReserved; err != nil || got != want {
			t.Errorf("%v on %v: %#x, %v; want %#x", guest, host, got, err, want)
		}
	}
	if _, err := power.PCR(0, power.Level30); err == nil {
		t.Error("level 0 was taken")
	}
}

func TestLevels(t *testing.T) {
	for i, row := range power.Levels {
		if int(row.Level) != i+1 || row.LogicalPVR>>24 != 0x0f {
			t.Errorf("%s: level %d in row %d, PVR %#x", row.Name, row.Level, i, row.LogicalPVR)
		}
		got, err := power.ParseLevel(row.Name)
		if err != nil || got != row.Level || got.String() != row.Name {
			t.Errorf("%s: reads back as %v, %v", row.Name, got, err)
		}
		if i > 0 && row.PCRBit < power.Levels[i-1].PCRBit {
			t.Errorf("%s: PCR bit below that of the level before", row.Name)
		}
	}
	if _, err := power.ParseLevel("3.2"); err == nil || !strings.Contains(err.Error(), "3.1/P11") {
		t.Errorf("3.2: %v; want the levels named", err)
	}
}

func TestStateLayout(t *testing.T) {
	f := readFacts(t)
	if len(f.State.Fields) != len(power.StateLayout) {
		t.Fatalf("%d fields, the facts have %d", len(power.StateLayout), len(f.State.Fields))
	}
	var offset uint16
	for i, row := range power.StateLayout {
		want := f.State.Fields[i]
		if row.Name != want.Name || row.Offset != want.Offset || row.Size != want.Size || row.Version != want.Version {
			t.Errorf("%+v, want %+v", row, want)
		}
		if int(row.Field) != i || row.Offset != offset {
			t.Errorf("%s: field %d at %d, want %d at %d", row.Name, row.Field, row.Offset, i, offset)
		}
		offset += row.Size
		if row.Version == 1 && int(offset) > power.StateSizeV1 {
			t.Errorf("%s: of version 1 and beyond its end", row.Name)
		}
		if field, ok := power.StateFieldNamed(row.Name); !ok || field != row.Field || field.String() != row.Name {
			t.Errorf("%s: not found by name", row.Name)
		}
	}
	if int(offset) != power.StateSizeV2 || power.StateSizeV1 != f.State.SizeV1 || power.StateSizeV2 != f.State.SizeV2 {
		t.Errorf("sizes add up to %d, constants %d and %d, facts %d and %d",
			offset, power.StateSizeV1, power.StateSizeV2, f.State.SizeV1, f.State.SizeV2)
	}
	if power.StateLayout[power.StateDAWR1].Offset != power.StateSizeV1 {
		t.Error("version 2 does not begin where version 1 ends")
	}
}

func TestVectors(t *testing.T) {
	f := readFacts(t)
	for name, vector := range map[string]uint64{"HFU": power.VectorHFacility, "FU": power.VectorFacility, "HEAI": power.VectorHEAI,
		"PROGRAM": power.VectorProgram, "HDSI": power.VectorHDSI, "HISI": power.VectorHISI,
		"HDEC": power.VectorHypervisorDecrement, "SYSCALL": power.VectorSystemCall} {
		if hex(t, f.Traps[name]) != vector {
			t.Errorf("%s is %#x, want %s", name, vector, f.Traps[name])
		}
		if power.VectorNames[vector] == "" {
			t.Errorf("%#x has no name", vector)
		}
	}
}

func TestLPCRNested(t *testing.T) {
	if power.LPCRNested != 0x0070000003820a0c {
		t.Errorf("LPCRNested is %#x", power.LPCRNested)
	}
}

func TestStateRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		version := rapid.Uint64Range(1, 2).Draw(t, "version")
		order := rapid.SampledFrom([]binary.ByteOrder{binary.LittleEndian, binary.BigEndian}).Draw(t, "order")
		var state power.State
		for i, row := range power.StateLayout {
			if uint64(row.Version) > version {
				continue
			}
			state[i] = rapid.Uint64().Draw(t, row.Name)
			if row.Size == 4 {
				state[i] &= 0xffffffff
			}
		}
		state[power.StateVersion] = version
		data, err := power.AppendState(nil, &state, order)
		if err != nil {
			t.Fatal(err)
		}
		if size, _ := power.StateSize(uint32(version)); len(data) != size {
			t.Fatalf("%d bytes, want %d", len(data), size)
		}
		if order == binary.BigEndian && data[7] != byte(version) {
			t.Fatal("the version does not stand big-endian at offset 0")
		}
		got, err := power.ParseState(data, order)
		if err != nil {
			t.Fatal(err)
		}
		if *got != state {
			t.Fatalf("read back %#x, want %#x", *got, state)
		}
		for cut := range data {
			if s, err := power.ParseState(data[:cut], order); err == nil || s != nil {
				t.Fatalf("%d of %d bytes were taken", cut, len(data))
			}
		}
	})
}

func TestParseStateNamesTheField(t *testing.T) {
	state := power.State{power.StateVersion: 2}
	data, err := power.AppendState(nil, &state, binary.LittleEndian)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		data []byte
		want string
	}{
		{data[:5], "hv_guest_state.version: want 8 bytes, there are 5"},
		{data[:100], "hv_guest_state.purr: not all there; want 248 bytes for version 2, there are 100"},
		{data[:247], "hv_guest_state.dawrx1: not all there"},
		{append([]byte{3}, data[1:]...), "hv_guest_state.version: want 1 or 2, is 0x3"},
		{append([]byte{2, 0, 0, 0, 1}, data[5:]...), "hv_guest_state.version: want 1 or 2, is 0x100000002"},
	} {
		if _, err := power.ParseState(c.data, binary.LittleEndian); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want %q", err, c.want)
		}
	}
	state[power.StateVersion] = 3
	if data, err := power.AppendState(nil, &state, binary.LittleEndian); err == nil || len(data) != 0 {
		t.Error("version 3 was written")
	}
}

func FuzzParseState(f *testing.F) {
	for version := range uint64(4) {
		state := power.State{power.StateVersion: version}
		for i := 1; i < len(state); i++ {
			state[i] = uint64(i) * 0x0101010101010101
		}
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			data, err := power.AppendState(nil, &state, order)
			if err == nil {
				f.Add(data, order == binary.BigEndian)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, big bool) {
		var order binary.ByteOrder = binary.LittleEndian
		if big {
			order = binary.BigEndian
		}
		state, err := power.ParseState(data, order)
		if (err == nil) != (state != nil) {
			t.Fatalf("error %v with value %v", err, state)
		}
		if err != nil {
			return
		}
		again, err := power.AppendState(nil, state, order)
		if err != nil || string(again) != string(data[:len(again)]) {
			t.Fatalf("written back %x, %v; read %x", again, err, data)
		}
	})
}

func TestRegistersAreSound(t *testing.T) {
	for _, r := range power.Registers {
		var used uint64
		last := 64
		for _, f := range r.Fields {
			if used&f.Mask() != 0 || int(f.LSB)+int(f.Width) > last {
				t.Errorf("%s.%s overlaps or is out of order", r.Name, f.Name)
			}
			used |= f.Mask()
			last = int(f.LSB)
			for _, v := range f.Values {
				if f.Width < 64 && v.Value >= 1<<f.Width {
					t.Errorf("%s.%s: value %d does not fit", r.Name, f.Name, v.Value)
				}
			}
		}
		if r.About == "" {
			t.Errorf("%s: nothing said about it", r.Name)
		}
	}
	f := readFacts(t)
	for name, spr := range map[string]uint16{"HFSCR": f.SPR, "FSCR": f.FSCR.SPR} {
		if e, err := power.Explain(name, 0); err != nil || e.Register.SPR != spr {
			t.Errorf("%s: %v, want SPR %d", name, err, spr)
		}
	}
	e, err := power.Explain("lpcr", power.LPCRNested)
	if err != nil {
		t.Fatal(err)
	}
	var named uint64
	for _, v := range e.Fields {
		switch v.Field.Name {
		case "DPFD", "ILE", "AIL", "LD", "TC", "LPES", "MER":
			named |= v.Field.Mask()
		}
	}
	if named != power.LPCRNested {
		t.Errorf("DPFD, ILE, AIL, LD, TC, LPES and MER are %#x, LPCRNested is %#x", named, power.LPCRNested)
	}
}

func TestExplain(t *testing.T) {
	e, err := power.Explain("HFSCR", 0x0aff00000000219f)
	if err != nil {
		t.Fatal(err)
	}
	if e.Unknown != 0x00ff000000000000 {
		t.Errorf("unknown bits %#x, want 0x00ff000000000000", e.Unknown)
	}
	got := map[string]string{}
	for _, v := range e.Fields {
		got[v.Field.Name] = strconv.Itoa(int(v.Value)) + " " + v.Meaning
	}
	for name, want := range map[string]string{
		"IC":   "10 last interrupt, if there was one: MSGP",
		"MSGP": "0 privileged doorbells: msgsndp, msgclrp, TIR, DPDES: a hypervisor facility unavailable interrupt",
		"PM":   "1 performance monitor SPRs: available",
	} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		r := rapid.SampledFrom(power.Registers).Draw(t, "register")
		value := rapid.Uint64().Draw(t, "value")
		e, err := power.Explain(r.Name, value)
		if err != nil {
			t.Fatal(err)
		}
		sum := e.Unknown
		for _, v := range e.Fields {
			sum |= v.Field.Put(0, v.Value)
		}
		if sum != value {
			t.Fatalf("%s: the parts make %#x, want %#x", r.Name, sum, value)
		}
	})
	if _, err := power.Explain("HFSCRX", 0); err == nil || !strings.Contains(err.Error(), "HFSCR, FSCR, LPCR") {
		t.Errorf("HFSCRX: %v; want the known registers named", err)
	}
}
