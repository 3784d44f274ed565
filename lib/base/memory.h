#pragma once

namespace packhorse {

// Sets up the C library's allocator for what packhorsed does: a batch or a row of the queue takes some megabytes and
// gives them back, several times a second. Process-wide; at the start, before the first thread.
void TuneMemory();

}  // namespace packhorse
