package lab

import (
	"context"
	"runtime"
	"sync"
)

// Cell is one host of a matrix and what came of the job on it: a result, or
// the error of Run.
type Cell struct {
	Host   Host
	Result Result
	Err    error
}

// Hosts is every kernel with every CPU, kernel by kernel, each otherwise like
// the given host.
func Hosts(like Host, kernels, cpus []string) []Host {
	var hosts []Host
	for _, kernel := range kernels {
		for _, cpu := range cpus {
			h := like
			h.Kernel, h.CPU = kernel, cpu
			hosts = append(hosts, h)
		}
	}
	return hosts
}

// Matrix runs a job on many hosts, as many at a time as this machine has CPUs:
// an emulated CPU takes one whole. It returns a cell for each, in order; a host
// that fails does not keep the others from their answers. started and ended,
// where not nil, are told of each host by its place, one call at a time. The
// job's live writers are not used: the hosts' words would mix.
func Matrix(ctx context.Context, hosts []Host, job Job, started, ended func(place int, cell Cell)) []Cell {
	job.Stdout, job.Stderr = nil, nil
	cells := make([]Cell, len(hosts))
	places := make(chan int)
	var telling sync.Mutex
	tell := func(f func(int, Cell), place int) {
		if f != nil {
			telling.Lock()
			defer telling.Unlock()
			f(place, cells[place])
		}
	}
	var workers sync.WaitGroup
	for range min(runtime.NumCPU(), len(hosts)) {
		workers.Go(func() {
			for place := range places {
				cells[place].Host = hosts[place]
				tell(started, place)
				cells[place].Result, cells[place].Err = Run(ctx, hosts[place], job)
				tell(ended, place)
			}
		})
	}
	for place := range hosts {
		places <- place
	}
	close(places)
	workers.Wait()
	return cells
}
