#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

#include "delivery/evidence.h"

namespace packhorse::delivery {

using namespace std::chrono_literals;

// Evidence about a destination, asked without one.
class EvidenceTest : public ::testing::Test {
 protected:
  static RecordKey Key(Sequence sequence) { return RecordKey{Lane::kNormal, sequence, 0}; }

  // An attempt of a batch of its own that begins with this message.
  Ruling Fail(Sequence sequence, Fault fault, std::uint32_t records = 1) {
    return Again(tracks_[sequence], sequence, fault, records);
  }
  Ruling Again(Track& track, Sequence sequence, Fault fault, std::uint32_t records = 1) {
    Attempt attempt;
    attempt.fault = fault;
    attempt.first = Key(sequence);
    attempt.records = records;
    attempt.connection = connection_++;
    attempt.others_wait = others_wait_;
    attempt.untried_waits = untried_waits_;
    attempt.smallest = smallest_;
    attempt.may_overtake = may_overtake_;
    attempt.may_split = may_split_;
    return evidence_.Failed(attempt, track, now_);
  }
  Ruling Retry(Sequence sequence, Fault fault = Fault::kRejected) {
    Attempt attempt;
    attempt.fault = fault;
    attempt.first = Key(sequence);
    attempt.suspect = true;
    attempt.connection = connection_++;
    Track track;
    return evidence_.Failed(attempt, track, now_);
  }
  void Accept(std::uint64_t records = 1) {
    Track track;
    evidence_.Accepted(track, RecordKey{}, records, true, now_);
  }
  // Tries a suspect whenever it is due, with another accepted each second, until it is buried; none: not within `most`.
  std::optional<std::chrono::seconds> Bury(Sequence sequence, std::chrono::seconds most) {
    const MonoTime from = now_;
    while (now_ - from <= most) {
      const auto next = evidence_.NextSuspect();
      if (!next) {
        return std::nullopt;
      }
      now_ = std::max(now_ + 1ms, std::min(next->at, now_ + 1s));
      Accept();
      if (evidence_.NextSuspect()->at <= now_ && Retry(sequence) == Ruling::kBury) {
        return std::chrono::duration_cast<std::chrono::seconds>(now_ - from);
      }
    }
    return std::nullopt;
  }

  int RefusedInARowUntilHeld() {
    int refused = 1;
    while (Fail(next_refused_++, Fault::kRejected) != Ruling::kHold) {
      ++refused;
    }
    Accept();
    return refused;
  }

  Evidence evidence_;
  Sequence next_refused_ = 1'000'000;
  MonoTime now_{1000s};
  std::uint64_t connection_ = 1;
  bool others_wait_ = false;
  bool untried_waits_ = false;
  bool smallest_ = true;
  bool may_overtake_ = true;
  bool may_split_ = true;
  std::map<Sequence, Track> tracks_;
};

}  // namespace packhorse::delivery
