package move

import (
	"fmt"
	"testing"
	"time"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/labtest"
)

// pairVMMs are the orders in which every pair of hosts is tried.
var pairVMMs = []guise.VMM{guise.VMMGuise, "qemu@10.0", "qemu@11.1"}

// Names of the files of TestEveryPair in hosts, and what tells a half of it that it is one.
const (
	pairContract = ".contract.json"
	pairState    = ".state"
	pairArrival  = ".arrival.json"
	pairCapture  = "capture.json"
	pairHalf     = "GUISE_TESTS_PAIR" // is set in hosts
	shownName    = "shown"
)

// journeyOf is a VM that is moved from one host to another.
type journeyOf struct {
	from, to int
	contract *guise.Contract // nil: what the source shows
	name     string          // of its files
}

// TestEveryPair moves VMs between every two hosts, each way, under what the source shows and
// under a contract of both, as guise does it and in QEMU's order, and holds what became of
// each against what guise.MoveOne says of it.
func TestEveryPair(t *testing.T) {
	hosts := labtest.EverydayTogether(t, []lab.Host{
		{Kernel: "6.12", CPU: "neoverse-n1"}, {Kernel: "7.2", CPU: "neoverse-n1"},
		{Kernel: "5.10", CPU: "neoverse-n1"}, {Kernel: "6.1", CPU: "neoverse-v1"}, {Kernel: "6.18", CPU: "neoverse-v1"},
		{Kernel: "7.2", CPU: "neoverse-v1"}, {Kernel: "6.12", CPU: "a64fx"}, {Kernel: "7.2", CPU: "cortex-a53"},
	}, "6.12/neoverse-n1", "7.2/neoverse-n1")
	if len(hosts) == 0 {
		return
	}
	journeys := journeysBetween(t, hosts)
	captures := make([]*guise.Capture, len(hosts))
	states := make([]map[string][]byte, len(hosts))
	t.Run("depart", func(t *testing.T) {
		sideBySide(t, hosts, func(t *testing.T, i int) { captures[i], states[i] = depart(t, hosts[i], i, journeys) })
	})
	if t.Failed() {
		return
	}
	arrivals := make([]map[restored]*Arrival, len(hosts))
	t.Run("arrive", func(t *testing.T) {
		sideBySide(t, hosts, func(t *testing.T, i int) { arrivals[i] = arriveAll(t, hosts[i], i, journeys, states) })
	})
	counts := map[string]int{}
	for i := range hosts {
		for name, arrival := range arrivals[i] {
			j, vmm := name.journey, name.vmm
			contract := j.contract
			if contract == nil && vmm == guise.VMMGuise {
				contract = asShownIn(captures[j.from], j.setup(t, captures[j.from]))
			}
			foretold, err := guise.MoveOne(contract, captures[j.from], captures[j.to], j.setup(t, captures[j.from]), vmm)
			if err != nil {
				t.Fatal(err)
			}
			what := fmt.Sprintf("%s from %s to %s by %s", j.name, hosts[j.from].Name(), hosts[j.to].Name(), vmm)
			_, unforeseen := Foreseen(&foretold, arrival)
			for _, line := range unforeseen {
				t.Errorf("%s: not foreseen: %s", what, line)
			}
			arrived := arrival.Arrived() && len(arrival.Contract) == 0
			if arrived && foretold.Outcome == guise.MoveRefused || !arrived && foretold.Outcome == guise.MoveSame {
				t.Errorf("%s: foretold %s, arrived %v: %+v %+v", what, foretold.Outcome, arrived, foretold.Points, arrival.Differences)
			}
			counts[foretold.Outcome.String()]++
		}
	}
	testenv.Figure(t, "moves between every two of %d real hosts, each way, by guise and in the order of two versions of QEMU: %v", len(hosts), counts)
	if counts["same"] == 0 || counts["refused"] == 0 {
		t.Errorf("%v: one kind of outcome alone", counts)
	}
}

// sideBySide calls do for each host, as many at a time as tests run in parallel.
func sideBySide(t *testing.T, hosts []lab.Host, do func(t *testing.T, host int)) {
	for i, h := range hosts {
		t.Run(h.Name(), func(t *testing.T) {
			t.Parallel()
			do(t, i)
		})
	}
}

// setup is the key of the VM's setup.
func (j *journeyOf) setup(t *testing.T, from *guise.Capture) string {
	t.Helper()
	if j.contract != nil {
		return j.contract.Setup.Key()
	}
	return unaskedSetup(t, from)
}

// journeysBetween are those of every two hosts, with the contracts that their captures in
// the catalogue give.
func journeysBetween(t *testing.T, hosts []lab.Host) []*journeyOf {
	t.Helper()
	var journeys []*journeyOf
	for from, a := range hosts {
		for to, b := range hosts {
			if from == to {
				continue
			}
			journeys = append(journeys, &journeyOf{from: from, to: to, name: fmt.Sprintf("%s-%d-%d", shownName, from, to)})
			captures := []*guise.Capture{inCatalogue(t, a), inCatalogue(t, b)}
			for _, policy := range []*guise.Policy{nil, {IdentityOf: captures[0].Name}} {
				result, err := guise.Baseline(captures, policy)
				if err != nil {
					t.Fatal(err)
				}
				if result.Contract != nil {
					journeys = append(journeys, &journeyOf{from: from, to: to, contract: result.Contract, name: fmt.Sprintf("both-%d-%d", from, to)})
					break
				}
			}
		}
	}
	return journeys
}

func inCatalogue(t *testing.T, h lab.Host) *guise.Capture {
	t.Helper()
	c, err := catalog.Load("qemu10-" + h.CPU + "@" + h.Kernel)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// depart captures a host, and makes the VMs that leave it: their states, by the journeys'
// names.
func depart(t *testing.T, h lab.Host, at int, journeys []*journeyOf) (*guise.Capture, map[string][]byte) {
	t.Helper()
	job := lab.Job{Args: []string{"-test.v", "-test.run=^TestInsideDepart$"}, Outputs: []string{pairCapture, shownName + pairState}}
	for _, j := range journeys {
		if j.contract != nil && j.from == at {
			job.Files = append(job.Files, lab.File{Path: j.name + pairContract, Content: j.contract.Marshal()})
			job.Outputs = append(job.Outputs, j.name+pairState)
		}
	}
	files, states := runInside(t, h, job), map[string][]byte{}
	for _, j := range journeys {
		switch {
		case j.from != at:
		case j.contract == nil:
			states[j.name] = files[shownName+pairState]
		default:
			states[j.name] = files[j.name+pairState]
		}
	}
	capture, err := guise.ReadCapture(h.Name(), files[pairCapture])
	if err != nil {
		t.Fatal(err)
	}
	return capture, states
}

// restored is a journey in the order of one VMM.
type restored struct {
	journey *journeyOf
	vmm     guise.VMM
}

// arriveAll restores on a host the VMs that go there, in the order of each VMM.
func arriveAll(t *testing.T, h lab.Host, at int, journeys []*journeyOf, states []map[string][]byte) map[restored]*Arrival {
	t.Helper()
	job := lab.Job{Args: []string{"-test.v", "-test.run=^TestInsideArrive$"}}
	names := map[string]restored{}
	for _, j := range journeys {
		if j.to != at {
			continue
		}
		job.Files = append(job.Files, lab.File{Path: j.name + pairState, Content: states[j.from][j.name]})
		for _, vmm := range pairVMMs {
			output := j.name + "-" + string(vmm) + pairArrival
			names[output] = restored{j, vmm}
			job.Outputs = append(job.Outputs, output)
		}
	}
	arrivals := map[restored]*Arrival{}
	for path, content := range runInside(t, h, job) {
		arrival, err := ReadArrival(path, content)
		if err != nil {
			t.Fatal(err)
		}
		arrivals[names[path]] = arrival
	}
	return arrivals
}

// runInside runs a half of the test on a host, and returns what it left there: all that
// was asked for.
func runInside(t *testing.T, h lab.Host, job lab.Job) map[string][]byte {
	t.Helper()
	h.Fresh = true
	h.Limit = max(h.Limit, 10*time.Minute)
	job.Program, job.Env = labtest.Binary(t, h.Arch), append(testenv.CI(), pairHalf+"=yes")
	result := labtest.Run(t, h, job)
	files := map[string][]byte{}
	for _, f := range result.Files {
		files[f.Path] = f.Content
	}
	if result.Status != 0 || result.Signal != 0 || len(files) != len(job.Outputs) {
		t.Fatalf("%s: status %d, signal %d, %d of %d files\n%s%s", h.Name(), result.Status, result.Signal, len(files), len(job.Outputs), result.Stdout, result.Stderr)
	}
	return files
}
