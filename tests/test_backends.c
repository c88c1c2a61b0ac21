/* test_backends.c - which backends there are, how devices are looked for, and what is said where
 * there is none.  Each test is a process of its own: devices are looked for once in it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib_cuda.h"

static void expect_none(const char *path, const char *part)
{
	struct err e = { ST_OK, "" };
	const char *why;

	setenv("BITDIAL_CUDA", path, 1);
	why = backend_devices();
	cr_expect(strstr(why, part), "%s: %s", path, why);
	cr_expect(!strchr(why, '\n'));
	cr_expect_eq(backend_use("cuda:0", &e), ST_UNSUPPORTED);
	cr_expect(strstr(e.msg, "there is no cuda:0 here, but ref, cpu; ") && strstr(e.msg, part),
		"%s", e.msg);
	cr_expect_eq(backend_use("auto", &e), ST_OK, "%s", e.msg);
	cr_expect_eq(backend_now(), backend_best());
}

Test(backends, a_missing_object_is_named)
{
	expect_none("/nonexistent/cuda.so", "there is no /nonexistent/cuda.so");
}

Test(backends, an_empty_name_is_no_device)
{
	expect_none("", "BITDIAL_CUDA is empty");
}

Test(backends, what_is_no_shared_object_is_refused)
{
	char path[] = "/tmp/bd-no-object-XXXXXX";
	int fd = mkstemp(path);

	cr_assert(fd >= 0 && write(fd, "just text\n", 10) == 10);
	close(fd);
	expect_none(path, "cannot be opened: ");
	unlink(path);
}

Test(backends, an_object_without_the_entry_is_refused)
{
	expect_none("libm.so.6", "libm.so.6 is not a backend of ABI");
}

/* The path of what lies beside this suite. */
static const char *beside(const char *name)
{
	static char path[4200];
	ssize_t n = readlink("/proc/self/exe", path, 4096);

	cr_assert(n > 0);
	path[n] = '\0';
	strcpy(strrchr(path, '/') + 1, name);
	return path;
}

Test(backends, an_object_of_another_abi_is_refused)
{
	const char *path = beside("so_other_abi.so");

	cr_assert(access(path, R_OK) == 0, "there is no %s: make check builds it", path);
	expect_none(path, "is not a backend of ABI");
}

Test(backends, a_device_without_a_name_to_type_is_refused)
{
	const char *path = beside("so_no_name.so");

	cr_assert(access(path, R_OK) == 0, "there is no %s: make check builds it", path);
	expect_none(path, "device 0 has no name such as cuda:0");
}

Test(backends, a_device_that_lacks_an_operation_is_refused_and_not_called)
{
	const char *path = beside("so_no_operation.so");

	cr_assert(access(path, R_OK) == 0, "there is no %s: make check builds it", path);
	expect_none(path, "half:0 has no operation open");
}

Test(backends, without_a_driver_or_an_object_it_says_so)
{
	const char *why;

	unsetenv("BITDIAL_CUDA");
	why = backend_devices();
	/* beside a suite there is no object; where `make install` put one there may be a device */
	cr_expect(strstr(why, "no CUDA backend") || strstr(why, "no NVIDIA driver") || !*why, "%s",
		why);
}

Test(backends, an_unknown_name_is_told_what_there_is)
{
	struct err e = { ST_OK, "" };

	setenv("BITDIAL_CUDA", "", 1);
	cr_expect_eq(backend_use("gpu", &e), ST_UNSUPPORTED);
	cr_expect(strstr(e.msg, "there is no gpu here, but ref, cpu"), "%s", e.msg);
	cr_expect_eq(backend_use("ref", &e), ST_OK);
	cr_expect_str_eq(backend_now()->name, "ref");
}

/* ---- an emulated device */

Test(backends, a_device_is_found_used_and_left, .timeout = 60)
{
	struct err e = { ST_OK, "" };
	const char *best = backend_best()->name;

	setenv("BITDIAL_CUDA", cuda_path(), 1);
	cr_expect_null(backend_find("cuda:0"));
	cr_expect_str_eq(backend_now()->name, best);
	cr_expect_str_eq(backend_devices(), "");
	cr_expect_not_null(backend_find("cuda:0"));
	cr_expect_null(backend_find("cuda:1"));
	/* what is asked for host memory stays on the host */
	cr_expect_str_eq(backend_best()->name, best);
	cr_expect_eq(backend_use("auto", &e), ST_OK, "%s", e.msg);
	cr_expect_str_eq(backend_now()->name, "cuda:0");
	cr_expect_eq(backend_use("cpu", &e), ST_OK, "%s", e.msg);
	cr_expect_str_eq(backend_now()->name, "cpu");
	cr_expect_eq(backend_use("cuda:0", &e), ST_OK, "%s", e.msg);
	cr_expect_str_eq(backend_now()->name, "cuda:0");
	cr_expect_eq(backend_use("cuda:7", &e), ST_UNSUPPORTED);
	cr_expect(strstr(e.msg, "but ref, cpu, cuda:0"), "%s", e.msg);
	cr_expect_str_eq(backend_now()->name, "cuda:0");
}

Test(backends, the_device_opened_last_does_the_work, .timeout = 60)
{
	struct err e = { ST_OK, "" };
	float v = 5, got = 0;
	struct backend_device d;
	void *p;

	setenv("EMU_DEVICES", "2", 1);
	setenv("BITDIAL_CUDA", cuda_path(), 1);
	for (int i = 0; i < 4; i++) {
		cr_assert_eq(backend_use(i % 2 ? "cuda:1" : "cuda:0", &e), ST_OK, "%s", e.msg);
		p = backend_now()->alloc(sizeof v);
		cr_assert_not_null(p);
		backend_now()->put(p, &v, sizeof v);
		backend_now()->add(p, p, 1);
		backend_now()->get(&got, p, sizeof got);
		cr_expect_eq(got, 10);
		backend_now()->info(&d);
		cr_expect(d.ours >= sizeof v);
		backend_find(i % 2 ? "cuda:0" : "cuda:1")->info(&d);
		cr_expect_eq(d.ours, 0);
		backend_now()->free(p);
		cr_expect_eq(backend_now()->fault(&e), ST_OK, "%s", e.msg);
	}
}

static void expect_unusable(const char *variable, const char *value, const char *part)
{
	const char *why;

	setenv(variable, value, 1);
	setenv("BITDIAL_CUDA", cuda_path(), 1);
	why = backend_devices();
	cr_expect(strstr(why, part), "%s", why);
	cr_expect_null(backend_find("cuda:0"));
}

Test(backends, a_driver_that_is_too_old_is_told_by_its_number)
{
	expect_unusable("EMU_DRIVER", "12040",
		"the NVIDIA driver supports CUDA 12.4, bitdial's kernels want 13.0: update the "
		"driver");
}

Test(backends, a_driver_without_a_device_is_told)
{
	expect_unusable("EMU_DEVICES", "0", "the NVIDIA driver shows no device");
}

Test(backends, a_device_without_memory_for_the_workspace_says_so, .timeout = 60)
{
	struct err e = { ST_OK, "" };

	setenv("EMU_MEMORY", "100000000", 1);
	setenv("BITDIAL_CUDA", cuda_path(), 1);
	cr_expect_eq(backend_use("cuda:0", &e), ST_UNSUPPORTED);
	cr_expect(strstr(e.msg, "has no room for 256 MiB of workspace"), "%s", e.msg);
	cr_expect_str_empty(backend_passed_over());
	cr_expect_eq(backend_use("auto", &e), ST_OK, "%s", e.msg);
	cr_expect(backend_now()->host_memory);
	cr_expect(strstr(backend_passed_over(), "cuda:0: ") &&
			  strstr(backend_passed_over(), "has no room for 256 MiB of workspace"),
		"%s", backend_passed_over());
}
