/* symbols.cc - the name of a kernel, which is static and so in no table but .symtab. */
#include "emu.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *find(const unsigned char *file, size_t size, uintptr_t at)
{
	const ElfW(Ehdr) *h = (const ElfW(Ehdr) *)file;
	const ElfW(Shdr) *section = (const ElfW(Shdr) *)(file + h->e_shoff);

	if (h->e_shoff + h->e_shnum * sizeof *section > size)
		return nullptr;
	for (unsigned i = 0; i < h->e_shnum; i++) {
		const ElfW(Sym) *s = (const ElfW(Sym) *)(file + section[i].sh_offset);

		if (section[i].sh_type != SHT_SYMTAB)
			continue;
		for (size_t k = 0; k < section[i].sh_size / sizeof *s; k++)
			if ((s[k].st_info & 15) == STT_FUNC && s[k].st_value == at)
				return (const char *)file + section[section[i].sh_link].sh_offset +
				       s[k].st_name;
	}
	return nullptr;
}

/* _ZL5saxpyPK4args is saxpy(args const*): without what stands in the brackets. */
static void plain(char *out, size_t size, const char *name)
{
	int status;
	char *said = abi::__cxa_demangle(name, nullptr, nullptr, &status), *paren;

	if (said && (paren = strrchr(said, '(')))
		*paren = '\0';
	snprintf(out, size, "%s", said ? said : name);
	free(said);
}

const char *emu_symbol(const void *function)
{
	static char out[256];
	const struct link_map *map = nullptr;
	Dl_info info;
	struct stat st;
	void *file;
	int fd;

	snprintf(out, sizeof out, "at %p", function);
	if (!function || !dladdr1(function, &info, (void **)&map, RTLD_DL_LINKMAP) || !map)
		return out;
	fd = open(*map->l_name ? map->l_name : "/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return out;
	if (!fstat(fd, &st)) {
		file = mmap(nullptr, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (file != MAP_FAILED) {
			const char *name = find((const unsigned char *)file, (size_t)st.st_size,
				(uintptr_t)function - map->l_addr);

			if (name)
				plain(out, sizeof out, name);
			munmap(file, (size_t)st.st_size);
		}
	}
	close(fd);
	return out;
}
