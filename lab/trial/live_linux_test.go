package trial_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/catalog"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/lab"
	"github.com/guise-project/guise/lab/labtest"
	"github.com/guise-project/guise/lab/trial"
	"github.com/guise-project/guise/vm"
)

var (
	update = flag.Bool("update", false, "capture every host of the matrix anew and write the catalogue's captures")
	seed   = flag.Uint64("seed", 0, "seed of the random subsets; another one each time unless given")
)

// The matrix of the lab.
var (
	kernels = []string{"5.10", "6.1", "6.12", "6.18", "7.2"}
	cpus    = []string{"cortex-a53", "cortex-a72", "neoverse-n1", "neoverse-v1", "a64fx", "max"}
)

// hostLimit is for many setups on a busy machine.
const hostLimit = 10 * time.Minute

// labSource is where the catalogue says that its captures from the lab come from;
// who emulates the CPU follows it in lists.
const labSource = "a real kernel in the lab,"

// nameOf is the catalogue's name of a host of the matrix.
func nameOf(h lab.Host) string { return "qemu10-" + h.CPU + "@" + h.Kernel }

// onHosts runs a job on each host, as many at a time as this machine has CPUs,
// and hands the results over one by one. The first host that fails ends the
// test.
func onHosts(t *testing.T, hosts []lab.Host, job func(host int) lab.Job, done func(host int, result lab.Result)) {
	t.Helper()
	ctx, fail := context.WithCancelCause(t.Context())
	defer fail(nil)
	var workers sync.WaitGroup
	var telling sync.Mutex
	places := make(chan int)
	for range runtime.NumCPU() {
		workers.Go(func() {
			for place := range places {
				result, err := lab.Run(ctx, hosts[place], job(place))
				if err == nil && result.Status != 0 {
					err = fmt.Errorf("%s: status %d: %s", hosts[place].Name(), result.Status, result.Stderr)
				}
				if err != nil {
					fail(err)
					continue
				}
				telling.Lock()
				done(place, result)
				telling.Unlock()
			}
		})
	}
	for place := range hosts {
		places <- place
	}
	close(places)
	workers.Wait()
	err := context.Cause(ctx)
	var missing *lab.MissingError
	if errors.As(err, &missing) {
		testenv.Missing(t, "%v (%s)", missing, missing.Hint)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// capture captures hosts live.
func capture(t *testing.T, hosts []lab.Host) []*guise.Capture {
	t.Helper()
	captures := make([]*guise.Capture, len(hosts))
	job := lab.Job{Args: []string{"capture", "-o", "capture.json"}, Outputs: []string{"capture.json"}}
	onHosts(t, hosts, func(int) lab.Job { return job }, func(host int, result lab.Result) {
		var err error
		if captures[host], err = guise.ReadCapture(nameOf(hosts[host]), result.Files[0].Content); err != nil {
			t.Error(err)
		}
		t.Logf("%s (Linux %s) captured in %.1f s", hosts[host].Name(), result.Release, result.Elapsed.Seconds())
	})
	if t.Failed() {
		t.FailNow()
	}
	return captures
}

// captured returns a capture of every host: the catalogue's, where it was made
// on the kernel and QEMU that are here, and one made now elsewhere.
func captured(t *testing.T, hosts []lab.Host) []*guise.Capture {
	t.Helper()
	releases, qemu := map[string]string{}, ""
	var one []lab.Host
	for _, h := range hosts {
		if cheap := (lab.Host{Kernel: h.Kernel, CPU: "cortex-a53"}); !slices.ContainsFunc(one, func(h lab.Host) bool { return h.Kernel == cheap.Kernel }) {
			one = append(one, cheap)
		}
	}
	onHosts(t, one, func(int) lab.Job { return lab.Job{Args: []string{"version"}} }, func(host int, result lab.Result) {
		releases[one[host].Kernel], qemu = result.Release, result.QEMU
	})
	captures := make([]*guise.Capture, len(hosts))
	var stale []int
	for i, h := range hosts {
		known, err := catalog.Load(nameOf(h))
		if err != nil && !errors.Is(err, catalog.ErrUnknown) {
			t.Fatal(err)
		}
		if err != nil || known.Host.Kernel != releases[h.Kernel] || !strings.HasPrefix(known.Host.Emulator, "QEMU "+qemu+",") {
			stale = append(stale, i)
			continue
		}
		captures[i] = known
	}
	if len(stale) > 0 {
		var anew []lab.Host
		for _, i := range stale {
			anew = append(anew, hosts[i])
		}
		t.Logf("%d hosts have another kernel or QEMU than the catalogue's and are captured now", len(stale))
		for i, c := range capture(t, anew) {
			captures[stale[i]] = c
		}
	}
	return captures
}

// TestLiveProfilesDeriveRarerSetups holds profiles against what kernels take of
// VMs that the matrix does not make: with MTE, with an EL2 of their own, and
// protected ones.
func TestLiveProfilesDeriveRarerSetups(t *testing.T) {
	rarer := []struct {
		host   lab.Host
		setups []string
	}{
		{lab.Host{Kernel: "6.1", CPU: "max", Options: []string{"mte=on"}}, []string{"mte/vgic0", "mte+pauth+pmu+sve/vgic3"}},
		{lab.Host{Kernel: "6.12", CPU: "max", Options: []string{"mte=on"}}, []string{"mte/vgic0", "mte+pauth+pmu+sve/vgic3"}},
		{lab.Host{Kernel: "7.2", CPU: "max", Options: []string{"mte=on"}}, []string{"mte/vgic0", "mte+pauth+pmu+sve/vgic3"}},
		{lab.Host{Kernel: "6.18", CPU: "max", Append: []string{"kvm-arm.mode=nested"}}, []string{"el2/vgic3", "el2+pauth+pmu+sve/vgic3"}},
		{lab.Host{Kernel: "7.2", CPU: "max", Append: []string{"kvm-arm.mode=nested"}}, []string{"el2/vgic3"}},
		{lab.Host{Kernel: "7.2", CPU: "neoverse-v1", Append: []string{"kvm-arm.mode=protected"}}, []string{"protected/vgic0", "pauth+pmu+protected/vgic3"}},
	}
	var hosts []lab.Host
	setups := map[string][]string{}
	for _, r := range rarer {
		r.host.Limit, r.host.Fresh = hostLimit, true
		hosts = append(hosts, r.host)
		setups[r.host.Name()] = r.setups
	}
	hosts = labtest.Everyday(t, hosts, "7.2/max,mte=on")
	if len(hosts) == 0 {
		return // the time is up
	}
	captures := make([]*guise.Capture, len(hosts))
	onHosts(t, hosts, func(host int) lab.Job {
		job := lab.Job{Args: []string{"capture", "-o", "capture.json"}, Outputs: []string{"capture.json"}}
		for _, setup := range setups[hosts[host].Name()] {
			job.Args = append(job.Args, "--setup", setup)
		}
		return job
	}, func(host int, result lab.Result) {
		var err error
		if captures[host], err = guise.ReadCapture(hosts[host].Name(), result.Files[0].Content); err != nil {
			t.Error(err)
		}
		t.Logf("%s (Linux %s) captured in %.1f s", hosts[host].Name(), result.Release, result.Elapsed.Seconds())
	})
	if !t.Failed() {
		deriveWhatWasTried(t, captures)
	}
}

func matrix() []lab.Host { return lab.Hosts(lab.Host{Limit: hostLimit, Fresh: true}, kernels, cpus) }

// TestLiveCatalogueIsUpToDate: what is embedded is what these hosts give. With
// -update every host of the matrix is captured and the files written.
func TestLiveCatalogueIsUpToDate(t *testing.T) {
	hosts := labtest.Everyday(t, lab.Hosts(lab.Host{Limit: hostLimit, Fresh: true}, []string{"6.1", "7.2"}, []string{"cortex-a72"}), "6.1/cortex-a72")
	if *update {
		hosts = matrix()
	}
	for i, fresh := range capture(t, hosts) {
		name := nameOf(hosts[i])
		if *update {
			fresh.Captured.Source = labSource
			path := filepath.Join("..", "..", "catalog", "captures", name+".json")
			if err := os.WriteFile(path, fresh.Marshal(), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		known, err := catalog.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if known.ViewDigest() != fresh.ViewDigest() {
			t.Errorf("%s: the catalogue has Linux %s as %s, the lab gives Linux %s as %s; run: go test ./lab/trial -run CatalogueIsUpToDate -update",
				name, known.Host.Kernel, known.ViewDigest(), fresh.Host.Kernel, fresh.ViewDigest())
		}
	}
}

// subsets is how many random subsets of the matrix are put to it.
const subsets = 200

// plainer is a policy that leaves out some of what makes a VM richer, chosen by
// chance: what a host takes differs from setup to setup.
func plainer(random *rand.Rand) *guise.Policy {
	policy := &guise.Policy{NoVGIC: random.IntN(2) == 0}
	for _, feature := range []guise.Feature{guise.FeaturePAuth, guise.FeaturePMU, guise.FeatureSVE} {
		if random.IntN(3) == 0 {
			policy.Without = append(policy.Without, feature)
		}
	}
	return policy
}

// TestLiveBaselinesHold puts the baselines of every pair and of random subsets
// of the matrix to the kernels they are about.
func TestLiveBaselinesHold(t *testing.T) {
	hosts := labtest.EverydayTogether(t, matrix(), "5.10/cortex-a72", "6.1/neoverse-n1", "6.18/neoverse-v1", "7.2/neoverse-v1")
	if len(hosts) == 0 {
		return // the time is up
	}
	captures := captured(t, hosts)
	deriveWhatWasTried(t, captures)
	chosen := cmp.Or(*seed, rand.Uint64())
	t.Logf("seed %d", chosen)
	plan := trial.NewPlan(captures)
	add := func(groups [][]int, policy func() *guise.Policy) {
		for _, group := range groups {
			if _, err := plan.Add(group, policy(), true); err != nil {
				t.Fatal(err)
			}
		}
	}
	random := rand.New(rand.NewPCG(chosen, 0))
	add(trial.Pairs(len(hosts)), func() *guise.Policy { return nil })
	add(trial.Pairs(len(hosts)), func() *guise.Policy { return &guise.Policy{NoVGIC: true} })
	add(trial.Subsets(len(hosts), subsets, random), func() *guise.Policy { return plainer(random) })
	answers := make([][]vm.Answer, len(hosts))
	onHosts(t, hosts, func(host int) lab.Job {
		questions, err := vm.MarshalQuestions(plan.Questions(host))
		if err != nil {
			t.Error(err)
		}
		return lab.Job{
			Args: []string{"try", "questions.json", "-o", "answers.json"}, Outputs: []string{"answers.json"},
			Files: []lab.File{{Path: "questions.json", Content: questions}},
		}
	}, func(host int, result lab.Result) {
		var err error
		if _, answers[host], err = vm.ReadAnswers(hosts[host].Name(), result.Files[0].Content); err != nil {
			t.Error(err)
		}
		t.Logf("%s (Linux %s), %.1f s: %s", hosts[host].Name(), result.Release, result.Elapsed.Seconds(), strings.TrimSpace(string(result.Stderr)))
	})
	counts, disagreements, err := plan.Judge(answers)
	if err != nil {
		t.Fatal(err)
	}
	testenv.Figure(t, "%d pairs with and without a vGIC, %d subsets: %v; %d disagreements", len(trial.Pairs(len(hosts))), subsets, counts, len(disagreements))
	for i := range disagreements {
		if i == 100 {
			t.Errorf("and %d more", len(disagreements)-i)
			break
		}
		t.Error(disagreements[i].String())
	}
}
