package difftest

import (
	"slices"
	"time"

	"github.com/guise-project/guise"
	"github.com/guise-project/guise/isa/arm64"
	"github.com/guise-project/guise/scenario"
)

// shrinkingTime is for how long a course is shrunk: what is found must be
// reported before the host's time is over, short or not.
const shrinkingTime = time.Minute

// mark is how far the report was at some time.
type mark struct {
	differing, kept, disagreements int
}

func (d *differ) mark() mark {
	return mark{d.report.Differing, d.kept[d.suite], len(d.report.Disagreements)}
}

// shrink makes a course simpler as long as a disagreement remains, and reports
// the simplest in place of what was found since before.
func (d *differ) shrink(c course, before mark) error {
	r := d.report
	if before.kept >= maxDisagreements {
		return nil // there is enough to look into
	}
	d.progress("shrinking what %s showed", c.setup.Name())
	d.shrinkingEnds = time.Now().Add(shrinkingTime)
	compared, notModelled := r.Comparisons[d.suite], r.NotModelled
	for {
		shorter, err := d.shorten(c)
		if err != nil {
			return err
		}
		simpler, found, err := d.simplify(shorter)
		if err != nil {
			return err
		}
		c = simpler
		if !found {
			break
		}
	}
	// What was counted while shrinking does not count.
	r.Comparisons[d.suite], r.NotModelled = compared, notModelled
	r.Differing, r.Disagreements = before.differing, r.Disagreements[:before.disagreements]
	d.kept[d.suite] = before.kept
	_, _, err := d.play(c)
	return err
}

// fails plays a course, and cuts it after the disagreement that it shows. When
// the time for shrinking is over, no course fails.
func (d *differ) fails(c course) (course, bool, error) {
	if time.Now().After(d.shrinkingEnds) {
		return c, false, nil
	}
	done, failed, err := d.play(c)
	return c.upTo(done), failed, err
}

// shorten drops steps, many at a time and then fewer.
func (d *differ) shorten(c course) (course, error) {
	for size := max(len(c.steps)/2, 1); size >= 1; {
		shorter := false
		for at := 0; at+size <= len(c.steps); {
			candidate, failed, err := d.fails(course{c.setup, slices.Concat(c.steps[:at], c.steps[at+size:])})
			switch {
			case err != nil:
				return c, err
			case failed:
				c, shorter = candidate, true
			default:
				at += size
			}
		}
		if !shorter {
			size /= 2
		}
	}
	return c, nil
}

// simplify tries a plainer setup and plainer steps, one change at a time, and
// reports whether any kept the disagreement.
func (d *differ) simplify(c course) (course, bool, error) {
	for _, setup := range plainer(&c.setup) {
		candidate, failed, err := d.fails(course{setup, c.steps})
		if err != nil || failed {
			return candidate, failed, err
		}
	}
	for i := range c.steps {
		for _, step := range d.plainerSteps(&c.steps[i]) {
			steps := slices.Clone(c.steps)
			steps[i] = step
			candidate, failed, err := d.fails(course{c.setup, steps})
			if err != nil || failed {
				return candidate, failed, err
			}
		}
	}
	return c, false, nil
}

// plainer are setups with one thing less.
func plainer(setup *guise.Setup) []guise.Setup {
	var setups []guise.Setup
	if setup.VGIC != 0 {
		less := *setup
		less.VGIC = 0
		setups = append(setups, less)
	}
	if len(setup.Capabilities) > 0 {
		less := *setup
		less.Capabilities = nil
		setups = append(setups, less)
	}
	for i := range setup.Features {
		less := *setup
		less.Features = slices.Delete(slices.Clone(setup.Features), i, i+1)
		setups = append(setups, less)
	}
	return setups
}

// plainerSteps are steps that do less: one operation less, one field less that
// differs from what a plain VM shows, no feature.
func (d *differ) plainerSteps(step *scenario.Step) []scenario.Step {
	var steps []scenario.Step
	add := func(s scenario.Step) { steps = append(steps, s) }
	less := *step
	if step.VCPU != 0 {
		less.VCPU = 0
		add(less)
		less.VCPU = step.VCPU
	}
	switch step.Verb {
	case scenario.Guest:
		for i := range step.Ops {
			if len(step.Ops) > 1 {
				less.Ops = slices.Delete(slices.Clone(step.Ops), i, i+1)
				add(less)
			}
		}
	case scenario.Reinit:
		for i := range step.Features {
			less.Features = slices.Delete(slices.Clone(step.Features), i, i+1)
			add(less)
		}
	case scenario.Set:
		place, ok := arm64.PlaceOf(step.ID)
		if !ok {
			break
		}
		limit := d.limit(place)
		for i := range arm64.Registers[place].Fields {
			field := &arm64.Registers[place].Fields[i]
			if v := field.Get(limit); v != field.Get(step.Value) {
				less.Value = field.Put(step.Value, v)
				add(less)
			}
		}
	}
	return steps
}
