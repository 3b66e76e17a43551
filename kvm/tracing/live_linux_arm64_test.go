package tracing_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/internal/testenv"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/kvm"
	"github.com/guise-project/guise/kvm/tracing"
	"github.com/guise-project/guise/probe"
)

// start begins a session of this thread.
func start(t *testing.T) *tracing.Session {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	session, err := tracing.Start(unix.Gettid())
	var unavailable *tracing.UnavailableError
	if errors.As(err, &unavailable) {
		testenv.Missing(t, "%v; %s", err, unavailable.Hint)
	}
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// guest has a guest run a program on this thread.
func guest(t *testing.T, program *probe.Program) {
	t.Helper()
	host, err := kvm.Open("")
	if err != nil {
		testenv.Missing(t, "%v", err)
	}
	defer host.Close()
	machine, err := host.NewVM(t.Context(), guise.Setup{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer machine.Close()
	if _, err := machine.Run(t.Context(), 0, program); err != nil {
		t.Fatal(err)
	}
}

func gone(t *testing.T, session *tracing.Session) {
	t.Helper()
	if _, err := os.Stat(session.Directory()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", session.Directory(), err)
	}
}

// TestLiveEvents: a register and a hypercall leave their events, in order.
func TestLiveEvents(t *testing.T) {
	register := arm64.Encoding{Op0: 3, CRm: 4} // ID_AA64PFR0_EL1
	const version = 0x8400_0000                // PSCI_VERSION
	session := start(t)
	guest(t, &probe.Program{Name: "events", Ops: []probe.Op{
		{Kind: probe.MRS, Name: "ID_AA64PFR0_EL1", Register: register},
		{Kind: probe.HVC, Name: "PSCI_VERSION", Args: [8]uint64{version}},
	}})
	events, err := session.Stop()
	if err != nil {
		t.Fatal(err)
	}
	gone(t, session)
	var seen []string
	for _, e := range events {
		access, ok := probe.DecodeSystemAccess(e.Syndrome)
		switch {
		case e.Kind == tracing.SystemRegister && ok && access.Register == register && access.Read:
			seen = append(seen, "register")
		case e.Kind == tracing.Hypercall && e.Function == version && e.Immediate == 0:
			seen = append(seen, "call")
		}
	}
	if fmt.Sprint(seen) != "[register call]" {
		t.Errorf("%v in %+v", seen, events)
	}
}

// TestLiveLost: a buffer that is too small is no evidence of anything.
func TestLiveLost(t *testing.T) {
	session := start(t)
	if err := session.Write("buffer_size_kb", "4"); err != nil {
		t.Fatal(err)
	}
	guest(t, probe.Join("long", probe.FeatureSpace(), probe.ServiceCalls()))
	events, err := session.Stop()
	var lost *tracing.LostError
	if !errors.As(err, &lost) || lost.Events == 0 || events != nil {
		t.Errorf("%d events, %v; want a LostError", len(events), err)
	}
	gone(t, session)
}

// TestLiveLeft: what a process that was killed left is removed, what another
// one uses is not.
func TestLiveLeft(t *testing.T) {
	first := start(t)
	ended := exec.Command("/proc/self/exe", "-test.run=^$")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(filepath.Dir(first.Directory()), fmt.Sprintf("guise-%d-1", ended.ProcessState.Pid()))
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	second := start(t)
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", left, err)
	}
	if _, err := os.Stat(first.Directory()); err != nil {
		t.Error(err)
	}
	// The kernel itself keeps what is in use.
	if err := os.Remove(first.Directory()); !errors.Is(err, unix.EBUSY) {
		t.Errorf("removing what is in use: %v", err)
	}
	for _, session := range []*tracing.Session{first, second} {
		if _, err := session.Stop(); err != nil {
			t.Error(err)
		}
		gone(t, session)
	}
}
