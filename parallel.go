package guise

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// eachInParallel calls do for 0 to n-1, as many at a time as there are
// processors, and returns when all are done. Each call takes a run of numbers,
// so that short work is not spent on handing it out.
func eachInParallel(n int, do func(i int)) {
	const run = 64
	var next atomic.Int64
	work := func() {
		for {
			end := int(next.Add(run))
			for i := end - run; i < min(end, n); i++ {
				do(i)
			}
			if end >= n {
				return
			}
		}
	}
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+run-1)/run) - 1 {
		workers.Go(work)
	}
	work()
	workers.Wait()
}
