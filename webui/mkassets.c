/* mkassets FILE... - writes C source with the content of each file, names sorted, for
 * webui/assets.h. The only code generator of the build. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static int file_write(const char *name, int number)
{
	FILE *f = fopen(name, "rb");
	int c, column = 0;

	if (f == NULL) {
		fprintf(stderr, "mkassets: %s: %s\n", name, strerror(errno));
		return -1;
	}
	printf("static const unsigned char data_%d[] = {", number);
	while ((c = getc(f)) != EOF)
		printf("%s%d,", column++ % 24 == 0 ? "\n" : "", c);
	printf("0};\n");
	int bad = ferror(f);
	if (fclose(f) != 0 || bad) {
		fprintf(stderr, "mkassets: %s: read failed\n", name);
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	qsort(argv + 1, (size_t)argc - 1, sizeof(*argv), by_name);
	printf("#include \"webui/assets.h\"\n");
	for (int i = 1; i < argc; i++) {
		if (file_write(argv[i], i) < 0)
			return 1;
	}
	printf("const struct asset assets[] = {\n");
	for (int i = 1; i < argc; i++)
		printf("{\"%s\", data_%d, sizeof(data_%d) - 1},\n", argv[i], i, i);
	printf("{NULL, NULL, 0}};\nconst size_t asset_count = %d;\n", argc - 1);
	return ferror(stdout) || fflush(stdout) != 0;
}
