package lab

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/guise-project/guise/internal/progress"
	"github.com/guise-project/guise/lab/channel"
	"github.com/guise-project/guise/lab/internal/lockfile"
)

// A snapshot is the whole state of a machine whose init waits for its job:
// what came before is the same for every job. It is one file of QEMU's and
// beside it what the init had said, which is written last: without it the
// snapshot is not there.
//
// A machine that is restored has the random numbers and the clock of the one
// that was saved, so both are set anew with every job.

// snapshotFormat is part of every digest: it changes with the way snapshots
// are made.
const snapshotFormat = "6"

// snapshotSpace is how many bytes of snapshots are kept; those used longest
// ago go first. One takes about 80 MB.
const snapshotSpace = 8 << 30

// wakeLimit is how long a restored machine may take to be ready, a hundred
// times what it takes where nothing else runs.
const wakeLimit = 20 * time.Second

// unfinishedState ends the name of a state that is being written.
const unfinishedState = ".new"

type snapshot struct{ state, hello, lock string }

// snapshotOf is where the snapshot of a machine is or would be. Everything
// that makes the machine is under its digest; initramfs files are named by
// their digest.
func snapshotOf(m *machine) (snapshot, error) {
	cache, err := CacheDirectory()
	if err != nil {
		return snapshot{}, err
	}
	directory := filepath.Join(cache, "snapshots")
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return snapshot{}, err
	}
	h := sha256.New()
	for _, part := range slices.Concat([]string{snapshotFormat, m.qemu.path, m.qemu.version, m.kernelDigest}, m.args, m.bootArgs) {
		fmt.Fprintf(h, "%d %s\n", len(part), part)
	}
	base := filepath.Join(directory, hex.EncodeToString(h.Sum(nil))[:32])
	return snapshot{state: base + ".state", hello: base + ".json", lock: base + ".lock"}, nil
}

// exists reports whether the snapshot can be restored, and notes its use.
func (s snapshot) exists() bool {
	now := time.Now()
	return os.Chtimes(s.hello, now, now) == nil
}

func (s snapshot) remove() error {
	return errors.Join(removeIfThere(s.hello), removeIfThere(s.state))
}

// forgetSnapshot removes the snapshot of a machine, so that the next is booted.
func (m *machine) forgetSnapshot() error {
	s, err := snapshotOf(m)
	if err != nil {
		return err
	}
	return s.remove()
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// live is a machine that runs and whose init waits for a job.
type live struct {
	*process
	output   *console
	hello    channel.Hello
	signs    *signs
	restored bool
	monitor  *monitor // once qmp was called
}

// qmp is the machine's monitor.
func (l *live) qmp() (*monitor, error) {
	if l.monitor != nil {
		return l.monitor, nil
	}
	var err error
	l.monitor, err = openMonitor(l.control)
	return l.monitor, err
}

// watch calls the job's Monitor, where it has one, and returns what waits for
// it to end.
func (l *live) watch(ctx context.Context, job Job) (stop func(), err error) {
	if job.Monitor == nil {
		return func() {}, nil
	}
	monitor, err := l.qmp()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		job.Monitor(ctx, monitor.human)
	}()
	return func() {
		cancel()
		<-done
	}, nil
}

// start brings a machine to where its init waits for a job: from its snapshot
// where there is one, else by booting it, and then a snapshot is left for the
// next. Hosts of several CPUs are always booted: after a restore the timers of
// the second one were seen to stand still (QEMU 10.0.2).
func (m *machine) start(ctx context.Context) (*live, error) {
	if m.host.Fresh || !m.snapshots || m.host.CPUs > 1 {
		return m.bootAwake(ctx)
	}
	s, err := snapshotOf(m)
	if err != nil {
		return nil, err
	}
	if s.exists() {
		l, err := m.restore(ctx, s)
		if err == nil || ctx.Err() != nil {
			return l, err
		}
		// A damaged snapshot, or one that was just removed to make room.
		if err := s.remove(); err != nil {
			return nil, err
		}
	}
	// Those who wait for the same host then find its snapshot: quicker than a
	// boot of their own on a core the first one needs.
	waiting := progress.Start(ctx, "waiting for a guise that boots "+m.host.Name(), 0, progress.Things)
	unlock, err := lockfile.Lock(ctx, s.lock)
	waiting.Done()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if s.exists() {
		if l, err := m.restore(ctx, s); err == nil || ctx.Err() != nil {
			return l, err
		}
	}
	l, err := m.boot(ctx)
	if err != nil {
		return nil, err
	}
	keeping := progress.Start(ctx, "keeping a snapshot of "+m.host.Name(), 0, progress.Bytes)
	stop := keeping.Follow(func() int64 { return sizeOf(s.state + unfinishedState) })
	err = l.save(s)
	stop()
	keeping.Done()
	if err != nil {
		// A snapshot is only to save time: QEMU at times cannot go on after
		// one it could not finish.
		l.kill()
		return m.bootAwake(ctx)
	}
	return m.woken(ctx, l)
}

// bootAwake boots a machine and returns it once it is ready for its job.
func (m *machine) bootAwake(ctx context.Context) (*live, error) {
	l, err := m.boot(ctx)
	if err != nil {
		return nil, err
	}
	return m.woken(ctx, l)
}

// woken is a machine that was booted, once it is ready for its job.
func (m *machine) woken(ctx context.Context, l *live) (*live, error) {
	if err := wake(l.channel); err != nil {
		return nil, m.diagnose(ctx, l, err)
	}
	return l, nil
}

// launch starts QEMU and ends it when the context does.
func (m *machine) launch(ctx context.Context, more ...string) (*live, error) {
	l := &live{output: new(console), signs: new(signs)}
	p, err := startProcess(m.qemu.path, slices.Concat(m.args, m.qemu.sandbox, more), l.signs.out(l.output))
	if err != nil {
		return nil, err
	}
	p.stop = context.AfterFunc(ctx, p.terminate)
	p.expect(m.host.Limit, l.signs, m.giveUp)
	l.process = p
	return l, nil
}

func (m *machine) boot(ctx context.Context) (*live, error) {
	task := progress.Start(ctx, "booting "+m.host.Name(), 0, progress.Things)
	defer task.Done()
	l, err := m.launch(ctx, m.bootArgs...)
	if err != nil {
		return nil, err
	}
	if l.hello, err = greet(l.channel); err != nil {
		return nil, m.diagnose(ctx, l, err)
	}
	return l, nil
}

// save leaves a snapshot of a machine and lets it go on.
func (l *live) save(s snapshot) error {
	monitor, err := l.qmp()
	if err != nil {
		return err
	}
	// A CPU with nothing to do sets its timer when it is woken, so what QEMU
	// forgets of it is of no account.
	if err := l.waitIdle(); err != nil {
		return err
	}
	temporary := s.state + unfinishedState
	defer os.Remove(temporary)
	if err := monitor.save(temporary); err != nil {
		return err
	}
	hello, err := json.Marshal(l.hello)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, s.state); err != nil {
		return err
	}
	directory, name := filepath.Split(s.hello)
	if _, err := storeFile(directory, name, hello); err != nil {
		return err
	}
	if err := prune(directory, snapshotSpace, s); err != nil {
		return err
	}
	return monitor.resume()
}

func (m *machine) restore(ctx context.Context, s snapshot) (*live, error) {
	task := progress.Start(ctx, "waking "+m.host.Name(), 0, progress.Things)
	defer task.Done()
	hello, err := os.ReadFile(s.hello)
	if err != nil {
		return nil, err
	}
	l, err := m.launch(ctx, "-incoming", "defer")
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(hello, &l.hello)
	if err == nil {
		var monitor *monitor
		if monitor, err = l.qmp(); err == nil {
			err = monitor.load(s.state)
		}
	}
	if err == nil {
		err = wakeWithin(l)
	}
	if err != nil && ctx.Err() != nil {
		return nil, m.diagnose(ctx, l, err)
	}
	if err != nil {
		l.kill()
		return nil, err
	}
	l.restored = true
	return l, nil
}

// sizeOf is how many bytes of a file are there, 0 where there is none.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return allocated(info)
}

// wakeWithin wakes a restored machine, which takes a moment, or ends one that
// does not wake: a snapshot that was caught at a bad moment is of no use.
func wakeWithin(l *live) error {
	defer l.expect(wakeLimit, &signs{}, l.terminate)()
	return wake(l.channel)
}

// prune removes the snapshots used longest ago until what is left takes no
// more than the given bytes. The one just made stays. A machine that is being
// restored from one keeps its file, as any open file.
func prune(directory string, space int64, keep snapshot) error {
	type kept struct {
		snapshot
		used time.Time
		size int64
	}
	notes, err := filepath.Glob(filepath.Join(directory, "*.json"))
	if err != nil {
		return err
	}
	var all []kept
	var total int64
	for _, note := range notes {
		base := strings.TrimSuffix(note, ".json")
		s := snapshot{state: base + ".state", hello: note, lock: base + ".lock"}
		used, err := os.Stat(s.hello)
		if err != nil {
			continue // another process was quicker
		}
		state, err := os.Stat(s.state)
		if err != nil {
			continue
		}
		size := allocated(state)
		total += size
		if s != keep {
			all = append(all, kept{s, used.ModTime(), size})
		}
	}
	slices.SortFunc(all, func(a, b kept) int { return a.used.Compare(b.used) })
	for _, s := range all {
		if total <= space {
			return nil
		}
		if err := s.remove(); err != nil {
			return err
		}
		total -= s.size
	}
	return nil
}
