package guise_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kernel"
)

// handed is what a caller hands to the library: nothing, zero values, and good
// values that parts were taken out of.
type handed struct {
	captures  []*guise.Capture
	contracts []*guise.Contract
	policies  []*guise.Policy
	proofs    []*guise.Proof
}

// exported calls every function and method of the package with what is handed; the
// test below shows that it is every one.
var exported = map[string]func(h *handed, r *rand.Rand){
	"Baseline": func(h *handed, r *rand.Rand) {
		result, err := guise.Baseline(h.captures, pick(r, h.policies))
		if (result == nil) == (err == nil) {
			panic(fmt.Sprintf("a result: %v, an error: %v", result != nil, err))
		}
		guise.Baseline(h.some(r), pick(r, h.policies))
	},
	"Check": func(h *handed, r *rand.Rand) {
		for _, vmm := range []guise.VMM{guise.VMMNone, guise.VMMQEMU, guise.VMMFirecracker, ""} {
			verdict := guise.Check(pick(r, h.contracts), pick(r, h.captures), vmm)
			if verdict.Verdict != guise.Yes && len(verdict.Findings) == 0 {
				panic("no reason for " + verdict.Verdict.String())
			}
		}
	},
	"Diff": func(h *handed, r *rand.Rand) {
		d, err := guise.Diff(pick(r, h.captures), pick(r, h.captures))
		if (d == nil) == (err == nil) {
			panic(fmt.Sprint("a difference: ", d != nil, ", an error: ", err))
		}
		if d != nil {
			d.Same()
		}
	},
	"Mend": func(h *handed, r *rand.Rand) {
		captures, policy := h.some(r), pick(r, h.policies)
		result, _ := guise.Baseline(captures, policy)
		guise.Mend(captures, policy, result)
		guise.Mend(h.some(r), pick(r, h.policies), pick(r, []*guise.BaselineResult{nil, {}, result}))
	},
	"Pools": func(h *handed, r *rand.Rand) { guise.Pools(h.some(r), pick(r, h.policies), r.IntN(5)-1) },
	"PoolsWithin": func(h *handed, r *rand.Rand) {
		guise.PoolsWithin(h.some(r), pick(r, h.policies), r.IntN(5)-1, r.IntN(9)-1)
	},
	"JudgePower": func(h *handed, r *rand.Rand) {
		guise.JudgePower(pick(r, h.contracts), pick(r, h.captures), pick(r, []*guise.PowerTrace{nil, {}}))
	},
	"MarshalFleet": func(h *handed, r *rand.Rand) { guise.MarshalFleet(h.captures); guise.MarshalFleet(nil) },
	"FeatureNames": func(h *handed, r *rand.Rand) { guise.FeatureNames(nil); guise.FeatureNames(&arm64.View{}) },
	"ParseVary":    func(h *handed, r *rand.Rand) { guise.ParseVary(pick(r, []string{"", ",", ".", ".,.", "identity,"})) },
	"NameOf":       func(h *handed, r *rand.Rand) { guise.NameOf(0); guise.NameOf(arm64.ID(r.Uint64())) },
	"Doubt":        func(h *handed, r *rand.Rand) { _ = guise.Doubt{}.String() },
	"SchemaOf":     func(h *handed, r *rand.Rand) { guise.SchemaOf(nil) },
	"DocumentKind": func(h *handed, r *rand.Rand) { guise.DocumentKind("") },
	"MaxSizeOf":    func(h *handed, r *rand.Rand) { guise.MaxSizeOf("") },
	"CheckSize": func(h *handed, r *rand.Rand) {
		guise.CheckSize("", nil, "")
		guise.CheckSize("", []byte("{}"), "nothing")
	},
	"ReadCapture":  func(h *handed, r *rand.Rand) { guise.ReadCapture("", nil) },
	"ReadContract": func(h *handed, r *rand.Rand) { guise.ReadContract("", nil) },
	"ReadFleet":    func(h *handed, r *rand.Rand) { guise.ReadFleet("", nil) },
	"ReadProof":    func(h *handed, r *rand.Rand) { guise.ReadProof("", nil) },
	"ReadPolicy":   func(h *handed, r *rand.Rand) { guise.ReadPolicy("", nil) },
	"NewDocumentError": func(h *handed, r *rand.Rand) {
		_ = guise.NewDocumentError("", nil, nil).Error()
		_ = guise.NewDocumentError("", nil, fs.ErrInvalid).Error()
	},
	"FeatureDeciding": func(h *handed, r *rand.Rand) { guise.FeatureDeciding("", "") },
	"Capture": func(h *handed, r *rand.Rand) {
		if c := pick(r, h.captures); c != nil {
			c.Arch()
			c.Marshal()
			c.NotCaptured()
			c.Implausible()
			guise.UnknownMaskRangesText(c.UnknownMaskRanges())
			c.Doubts()
			c.ViewDigest()
			c.Setup("")
			c.Assume(kernel.Version{})
			c.Assume(kernel.Version{Major: 6, Minor: 18})
		}
	},
	"Contract": func(h *handed, r *rand.Rand) {
		if c := pick(r, h.contracts); c != nil {
			c.Arch()
			c.Incomplete()
			c.Doubts()
			c.Digest()
			c.Marshal()
			c.Leaves(0)
			c.Value(arm64.IDAA64PFR0EL1, 1)
			c.Complete(func(arm64.ID) bool { return true })
		}
	},
	"Proof": func(h *handed, r *rand.Rand) {
		if p := pick(r, h.proofs); p != nil {
			p.Marshal()
			p.Verdict()
		}
	},
	"Finding":    func(h *handed, r *rand.Rand) { (&guise.Finding{}).Name() },
	"Difference": func(h *handed, r *rand.Rand) { (&guise.Difference{}).Name() },
	"MoveOne": func(h *handed, r *rand.Rand) {
		vmm := pick(r, []guise.VMM{guise.VMMQEMU, guise.VMMFirecracker, "qemu@11.0", guise.VMMNone, "x@"})
		setup := pick(r, []string{"", "base/vgic3", "sve/vgic0", "x"})
		m, err := guise.MoveOne(pick(r, h.contracts), pick(r, h.captures), pick(r, h.captures), setup, vmm)
		if err == nil && m.Outcome != guise.MoveSame && len(m.Points) == 0 {
			panic("no reason for " + m.Outcome.String())
		}
	},
	"Moves": func(h *handed, r *rand.Rand) {
		vmms := pick(r, [][]guise.VMM{nil, guise.VMMs, {"x"}})
		guise.Moves(pick(r, h.contracts), h.some(r), pick(r, []string{"", "base/vgic3"}), vmms, nil)
	},
	"PoolsThatMove": func(h *handed, r *rand.Rand) {
		guise.PoolsThatMove(h.some(r), pick(r, h.policies), pick(r, [][]guise.VMM{nil, guise.VMMs, {"x"}}))
	},
	"UnknownMaskRangesText": func(h *handed, r *rand.Rand) { guise.UnknownMaskRangesText(r.Uint64()) },
	"VMM": func(h *handed, r *rand.Rand) {
		vmm := pick(r, []guise.VMM{"", "x", guise.VMMGuise, "qemu@11.1"})
		vmm.ComparesLists()
		vmm.Tolerates(arm64.ID(r.Uint64()), r.Uint64())
	},
	"ParseVMM": func(h *handed, r *rand.Rand) {
		_, _ = guise.ParseVMM(pick(r, []string{"", "@", "qemu@", "qemu@1.", "firecracker@", "qemu@99999999999999999999.1"}))
	},
	"Outcome": func(h *handed, r *rand.Rand) {
		for _, o := range []guise.Outcome{-1, guise.MoveSame, guise.MoveSeen, guise.MoveUnknown, guise.MoveRefused, 9} {
			_, _ = o.String(), o.Verdict()
		}
	},
	"MovePoint":     func(h *handed, r *rand.Rand) { (&guise.MovePoint{}).Name() },
	"DiffResult":    func(h *handed, r *rand.Rand) { (&guise.DiffResult{}).Same() },
	"DocumentError": func(h *handed, r *rand.Rand) { _ = (&guise.DocumentError{}).Error() },
	"FacilitySight": func(h *handed, r *rand.Rand) { _ = guise.FacilitySight{}.Permitted() },
	"PowerHost":     func(h *handed, r *rand.Rand) { (&guise.PowerHost{}).Level() },
	"Policy":        func(h *handed, r *rand.Rand) { _ = (&guise.Policy{Hide: []string{""}, Vary: []string{"."}}).Invalid() },
	"Setup": func(h *handed, r *rand.Rand) {
		s := guise.Setup{Features: []guise.Feature{"", "nothing"}, VGIC: -1}
		s.Has("")
		s.KernelVM()
		s.Key()
		s.Name()
		s.State()
	},
	"Verdict": func(h *handed, r *rand.Rand) { _ = guise.Verdict(99).String(); _ = guise.Verdict(-1).String() },
}

// some gives a few of the captures.
func (h *handed) some(r *rand.Rand) []*guise.Capture {
	var captures []*guise.Capture
	for range r.IntN(4) {
		captures = append(captures, pick(r, h.captures))
	}
	return captures
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// hollow takes something out of a value, anywhere in it, or puts in what nobody
// means.
func hollow(r *rand.Rand, v reflect.Value) {
	for {
		switch v.Kind() {
		case reflect.Pointer:
			if v.IsNil() {
				return
			}
			if v.CanSet() && r.IntN(8) == 0 {
				v.SetZero()
				return
			}
			v = v.Elem()
		case reflect.Struct:
			if v.CanSet() && r.IntN(40) == 0 {
				v.SetZero()
				return
			}
			if v.NumField() == 0 {
				return
			}
			v = v.Field(r.IntN(v.NumField()))
		case reflect.Slice:
			if v.CanSet() && (v.Len() == 0 || r.IntN(4) == 0) {
				v.Set(reflect.MakeSlice(v.Type(), r.IntN(2), 2))
				return
			}
			if v.Len() == 0 {
				return // of a field that is not exported
			}
			v = v.Index(r.IntN(v.Len()))
		case reflect.Array:
			v = v.Index(r.IntN(v.Len()))
		default:
			switch {
			case !v.CanSet():
			case v.CanInt():
				v.SetInt(pick(r, []int64{0, -1, 1, 99}))
			case v.CanUint():
				v.SetUint(pick(r, []uint64{0, 1, 0xff, ^uint64(0)}))
			case v.Kind() == reflect.String:
				v.SetString(pick(r, []string{"", "x", "ID_AA64PFR0_EL1", "\x00"}))
			default:
				v.SetZero()
			}
			return
		}
	}
}

// TestExportedFunctionsTakeAnything: nil, empty and zero values, and values with
// holes, are an error or an answer.
func TestExportedFunctionsTakeAnything(t *testing.T) {
	documents := [][]byte{load(t, "graviton2@6.18").Marshal(), load(t, "qemu10-a64fx@6.12").Marshal(), powerHosts()[0].Marshal(), powerHosts()[1].Marshal()}
	var contracts [][]byte
	for _, document := range documents {
		c, err := guise.ReadCapture("host", document)
		if err != nil {
			t.Fatal(err)
		}
		contracts = append(contracts, baseline(t, nil, c).Contract.Marshal())
	}
	calls := 0
	for i := range 1_500 {
		r := rand.New(rand.NewPCG(16, uint64(i)))
		h := &handed{
			captures:  []*guise.Capture{nil, {}, {Setups: make([]guise.CapturedSetup, 2)}, {Power: &guise.PowerHost{}}, {Setups: []guise.CapturedSetup{{Offers: new(arm64.Offers)}}}},
			contracts: []*guise.Contract{nil, {}, {Power: &guise.PowerContract{}}},
			policies: []*guise.Policy{
				nil, {}, {Vary: []string{""}, Hide: []string{""}}, {Require: []string{"", "FEAT_"}}, {IdentityOf: "x"},
				{Allow: map[string][]string{"": nil, "ID_AA64PFR0_EL1.SVE": {""}}}, {Force: map[string]uint64{"": 1}}, {Force: map[string]uint64{"ID_AA64PFR0_EL1.SVE": ^uint64(0)}},
				{AtLeast: map[string]uint64{".": 1}, Restrict: map[string]uint64{"PSCI_VERSION.": 1}}, {With: []guise.Feature{""}, Without: []guise.Feature{"", ""}}, {Protected: true, NoVGIC: true},
			},
			proofs: []*guise.Proof{nil, {}, {Power: &guise.PowerTrace{}}, {Findings: make([]guise.Finding, 1)}},
		}
		for j := range documents {
			c, err := guise.ReadCapture("host", documents[j])
			if err != nil {
				t.Fatal(err)
			}
			contract, err := guise.ReadContract("contract", contracts[j])
			if err != nil {
				t.Fatal(err)
			}
			for range r.IntN(4) {
				hollow(r, reflect.ValueOf(c))
				hollow(r, reflect.ValueOf(contract))
			}
			h.captures, h.contracts = append(h.captures, c), append(h.contracts, contract)
		}
		for _, name := range slices.Sorted(func(yield func(string) bool) {
			for name := range exported {
				if !yield(name) {
					return
				}
			}
		}) {
			calls++
			func() {
				defer func() {
					if problem := recover(); problem != nil {
						t.Errorf("%s, case %d: %v\n%s", name, i, problem, debug.Stack())
					}
				}()
				exported[name](h, r)
			}()
			if t.Failed() {
				t.FailNow()
			}
		}
	}
	testenv.Figure(t, "%d calls of exported functions with nothing, zero values and values with holes", calls)
}

// TestExportedFunctionsAreAllTried: the table above has every function of the
// package, and every type with methods.
func TestExportedFunctionsAreAllTried(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil {
				receiver := f.Recv.List[0].Type
				if star, ok := receiver.(*ast.StarExpr); ok {
					receiver = star.X
				}
				if name = receiver.(*ast.Ident).Name; !ast.IsExported(name) {
					continue
				}
			}
			if found[name] = true; exported[name] == nil {
				t.Errorf("%s is not tried", name)
			}
		}
	}
	for name := range exported {
		if !found[name] {
			t.Errorf("there is no %s", name)
		}
	}
}
