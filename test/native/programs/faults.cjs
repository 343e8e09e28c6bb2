// The other side of faults.cc: tells it what to do, through the file that both have mapped or opened.
'use strict';
const { closeSync, openSync, readSync, writeSync } = require('node:fs');

/** What is watched. */
const MEMORY = 1;
const MAPPING = 2;
const THREAD = 4;
const KERNEL = 8;
const ALL = MEMORY | MAPPING | THREAD | KERNEL;

const [OFF, RECORD, FAIL_ONCE, FAIL_FROM, STOP, STOP_EACH, HOLD] = [0n, 1n, 2n, 3n, 4n, 5n, 6n];
const [MODE, KINDS, TARGET, HITS, RELEASED, KNOWN, SITES] = [0, 1, 2, 3, 4, 5, 6];
const SITES_MAX = 8192;

class Faults {
  #fd;

  constructor(file) {
    this.#fd = openSync(file, 'r+');
  }

  /** Makes the file that a process gets as FAULTS_FILE. */
  static create(file) {
    const fd = openSync(file, 'w');
    writeSync(fd, Buffer.alloc(8 * (SITES + SITES_MAX)));
    closeSync(fd);
  }

  #get(word) {
    const bytes = Buffer.alloc(8);
    readSync(this.#fd, bytes, 0, 8, 8 * word);
    return bytes.readBigUInt64LE();
  }

  #set(word, value) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    writeSync(this.#fd, bytes, 0, 8, 8 * word);
  }

  #begin(mode, kinds, target = 0n) {
    this.off();
    this.#set(KINDS, BigInt(kinds));
    this.#set(TARGET, target);
    this.#set(HITS, 0n);
    this.#set(RELEASED, 0n);
    this.#set(MODE, mode);
  }

  off() {
    this.#set(MODE, OFF);
  }

  /** Calls that failed, were stopped or are held. */
  get hits() {
    return Number(this.#get(HITS));
  }

  /** Sites in the order in which they were reached for the first time. */
  get sites() {
    return Array.from({ length: Number(this.#get(KNOWN)) }, (_, i) => this.#get(SITES + i));
  }

  record(kinds) {
    this.forget();
    this.#begin(RECORD, kinds);
  }

  forget() {
    this.off();
    this.#set(KNOWN, 0n);
  }

  failOnce(site) {
    this.#begin(FAIL_ONCE, ALL, site);
  }

  /** From the site on, everything fails. */
  failFrom(site, kinds = ALL) {
    this.#begin(FAIL_FROM, kinds, site);
  }

  stopAt(site) {
    this.#begin(STOP, ALL, site);
  }

  stopAtEach(kinds) {
    this.forget();
    this.#begin(STOP_EACH, kinds);
  }

  holdAt(site) {
    this.#begin(HOLD, ALL, site);
  }

  release() {
    this.#set(RELEASED, 1n);
  }
}

module.exports = { Faults, MEMORY, MAPPING, THREAD, KERNEL, ALL };
