#include "packhorse/cli.h"

int main(int argc, char** argv) { return packhorse::cli::Main(argc, argv); }
