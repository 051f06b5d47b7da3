namespace Angarium.TestKit.Dialogs;

/// <summary>How the written side of a dialog hands its lines to the other: each group as one write, by line, or by octet.</summary>
public enum Slicing { Whole, ByLine, ByByte }
