package integration

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	docker "github.com/moby/moby/client"
)

// runName is the value of labelRun, of this run of tests.
var runName = strings.ToLower(rand.Text()[:10])

// runLabels are what every object of this run carries: labelRun, and a label that MCPHUB_TEST_LABEL names, by which the
// gate removes what is left of tests that had no end.
func runLabels() map[string]string {
	labels := map[string]string{labelRun: runName}
	if name := os.Getenv("MCPHUB_TEST_LABEL"); name != "" {
		labels[name] = "true"
	}
	return labels
}

// reaperVariable makes a test binary that is started again the reaper of a run, by its name.
const reaperVariable = "INTEGRATION_REAPER"

// reaper is a process that waits for the end of the run, however that comes, and removes what carries its label: a panic,
// a timeout or a kill leave nothing at the engine either.
var reaper struct {
	command *exec.Cmd
	life    io.Closer // whose end is the end of the run
}

func startReaper() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	reaper.command = exec.Command(self)
	reaper.command.Env = append(os.Environ(), reaperVariable+"="+runName)
	ownGroup(reaper.command) // an interrupt from the terminal is not for it
	reaper.life, err = reaper.command.StdinPipe()
	if err != nil {
		return err
	}
	return reaper.command.Start()
}

// endReaper has the reaper do its work, and returns when all is removed.
func endReaper() error {
	if reaper.life == nil {
		return nil
	}
	if err := errors.Join(reaper.life.Close(), reaper.command.Wait()); err != nil {
		return fmt.Errorf("remove what has the label %s=%s: %w", labelRun, runName, err)
	}
	return nil
}

// reap is the reaper's process. It returns its exit status.
func reap(run string) int {
	io.Copy(io.Discard, os.Stdin)
	engine, err := docker.New(docker.FromEnv)
	if err == nil {
		err = removeLabelled(engine, labelRun+"="+run)
	}
	if err != nil {
		return 1
	}
	return 0
}

// removeLabelled removes the containers, networks, volumes and images that carry a label, key=value.
func removeLabelled(engine docker.APIClient, label string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*labLimit)
	defer cancel()
	filter := docker.Filters{}.Add("label", label)
	return errors.Join(removeContainers(ctx, engine, filter), removeNetworks(ctx, engine, filter),
		removeVolumes(ctx, engine, filter), removeImages(ctx, engine, filter))
}

func removeContainers(ctx context.Context, engine docker.APIClient, filter docker.Filters) error {
	found, err := engine.ContainerList(ctx, docker.ContainerListOptions{All: true, Filters: filter})
	errs := []error{err}
	for _, c := range found.Items {
		_, err := engine.ContainerRemove(ctx, c.ID, docker.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func removeNetworks(ctx context.Context, engine docker.APIClient, filter docker.Filters) error {
	found, err := engine.NetworkList(ctx, docker.NetworkListOptions{Filters: filter})
	errs := []error{err}
	for _, n := range found.Items {
		_, err := engine.NetworkRemove(ctx, n.ID, docker.NetworkRemoveOptions{})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func removeVolumes(ctx context.Context, engine docker.APIClient, filter docker.Filters) error {
	found, err := engine.VolumeList(ctx, docker.VolumeListOptions{Filters: filter})
	errs := []error{err}
	for _, v := range found.Items {
		_, err := engine.VolumeRemove(ctx, v.Name, docker.VolumeRemoveOptions{Force: true})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func removeImages(ctx context.Context, engine docker.APIClient, filter docker.Filters) error {
	found, err := engine.ImageList(ctx, docker.ImageListOptions{Filters: filter})
	errs := []error{err}
	for _, i := range found.Items {
		_, err := engine.ImageRemove(ctx, i.ID, docker.ImageRemoveOptions{Force: true, PruneChildren: true})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
